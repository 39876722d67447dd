"""Sources that are known by name, as (name, channel) of a host and its subdomains."""

SEARCH = "Organic Search"
SOCIAL = "Organic Social"
VIDEO = "Organic Video"
AI = "AI Assistants"
EMAIL = "Email"
SHOPPING = "Organic Shopping"

_BY_CHANNEL: dict[str, dict[str, str]] = {
    AI: {
        "ChatGPT": "chatgpt.com chat.openai.com openai.com chatgpt",
        "Claude": "claude.ai claude",
        "Perplexity": "perplexity.ai perplexity",
        "Gemini": "gemini.google.com bard.google.com gemini",
        "Copilot": "copilot.microsoft.com copilot.cloud.microsoft copilot",
        "Meta AI": "meta.ai",
        "Mistral": "chat.mistral.ai mistral",
        "DeepSeek": "chat.deepseek.com deepseek.com deepseek",
        "Grok": "grok.com grok",
        "You.com": "you.com",
        "Phind": "phind.com",
        "Poe": "poe.com",
    },
    EMAIL: {
        "Gmail": "mail.google.com com.google.android.gm gmail",
        "Outlook": "outlook.live.com outlook.office.com outlook.office365.com outlook",
        "Yahoo Mail": "mail.yahoo.com",
        "Proton Mail": "mail.proton.me",
        "Newsletter": "newsletter email e-mail mailchimp substack",
    },
    VIDEO: {
        "YouTube": "youtube.com youtu.be youtube",
        "Vimeo": "vimeo.com vimeo",
        "Twitch": "twitch.tv twitch",
        "Dailymotion": "dailymotion.com",
        "Bilibili": "bilibili.com",
    },
    SEARCH: {
        "Google": "google google.com com.google.android.googlequicksearchbox",
        "Bing": "bing.com cn.bing.com bing",
        "DuckDuckGo": "duckduckgo.com duckduckgo",
        "Yahoo!": "search.yahoo.com yahoo.com yahoo",
        "Yandex": "yandex.ru yandex.com ya.ru yandex",
        "Baidu": "baidu.com baidu",
        "Ecosia": "ecosia.org ecosia",
        "Brave": "search.brave.com brave",
        "Qwant": "qwant.com qwant",
        "Startpage": "startpage.com startpage",
        "Kagi": "kagi.com kagi",
        "Naver": "naver.com search.naver.com naver",
        "Seznam": "seznam.cz search.seznam.cz",
        "Sogou": "sogou.com",
        "Swisscows": "swisscows.com",
        "Mojeek": "mojeek.com",
    },
    SOCIAL: {
        "Facebook": "facebook.com fb.com fb.me facebook fb com.facebook.katana",
        "Instagram": "instagram.com instagram ig",
        "Threads": "threads.net threads.com threads",
        "X": "twitter.com x.com t.co twitter x com.twitter.android",
        "LinkedIn": "linkedin.com lnkd.in linkedin com.linkedin.android",
        "Reddit": "reddit.com redd.it reddit com.reddit.frontpage",
        "Pinterest": "pinterest.com pin.it pinterest",
        "TikTok": "tiktok.com tiktok",
        "Snapchat": "snapchat.com snapchat",
        "Mastodon": "mastodon.social mastodon.online mastodon",
        "Bluesky": "bsky.app bluesky go.bsky.app",
        "Telegram": "t.me telegram.org web.telegram.org telegram org.telegram.messenger",
        "WhatsApp": "whatsapp.com wa.me web.whatsapp.com whatsapp",
        "Discord": "discord.com discord.gg discord",
        "Hacker News": "news.ycombinator.com hackernews hn",
        "Lobsters": "lobste.rs",
        "VK": "vk.com away.vk.com vk",
        "Weibo": "weibo.com weibo.cn",
        "Quora": "quora.com quora",
        "Tumblr": "tumblr.com t.umblr.com",
        "Slack": "slack.com app.slack.com com.slack",
        "Microsoft Teams": "teams.microsoft.com statics.teams.cdn.office.net",
    },
    SHOPPING: {
        "Amazon": "amazon.com amazon.de amazon.co.uk amazon.fr amazon.co.jp amazon",
        "eBay": "ebay.com ebay.de ebay.co.uk ebay",
        "Etsy": "etsy.com etsy",
        "AliExpress": "aliexpress.com",
    },
}

KNOWN: dict[str, tuple[str, str]] = {
    host: (name, channel)
    for channel, names in _BY_CHANNEL.items()
    for name, hosts in names.items()
    for host in hosts.split()
}
"""By host, and by what campaigns write as ``utm_source``."""


def is_name(text: str) -> bool:
    """Whether it is the name or the host of a known source, and nothing besides."""
    return text.lower().removeprefix("www.") in KNOWN


def known(host: str) -> tuple[str, str] | None:
    """(name, channel) of a host, or of a parent domain of it."""
    parts = host.split(".")
    for at in range(len(parts)):
        found = KNOWN.get(".".join(parts[at:]))
        if found is not None and (at < len(parts) - 1 or len(parts) == 1):
            return found
    # google.de, www.google.co.uk: a country's ending under a name that is its own.
    return KNOWN["google"] if "google" in parts[-3:-1] else None
