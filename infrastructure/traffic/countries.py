"""Where visitors come from: countries, what access providers there use as addresses, and when
people there are awake."""

from ipaddress import IPv4Network
from math import cos, pi
from random import Random
from typing import NamedTuple

from infrastructure.traffic.weighted import pick


class Country(NamedTuple):
    """``share`` of the visits, ``ahead_h`` of UTC, ``language`` as browsers there ask for it."""

    code: str
    share: float
    ahead_h: float
    language: str
    networks: tuple[str, ...]


COUNTRIES = (
    Country("US", 22, -6, "en-US,en;q=0.9", ("73.0.0.0/10", "98.192.0.0/12", "71.160.0.0/12")),
    Country("DE", 13, 1, "de-DE,de;q=0.9,en;q=0.7", ("84.128.0.0/11", "91.0.0.0/12")),
    Country("GB", 9, 0, "en-GB,en;q=0.9", ("81.128.0.0/13", "86.128.0.0/12")),
    Country("FR", 7, 1, "fr-FR,fr;q=0.9,en;q=0.6", ("90.0.0.0/12", "82.224.0.0/13")),
    Country("IN", 7, 5.5, "en-IN,en;q=0.9,hi;q=0.6", ("49.32.0.0/12", "117.192.0.0/12")),
    Country("NL", 5, 1, "nl-NL,nl;q=0.9,en;q=0.8", ("84.80.0.0/14", "77.160.0.0/13")),
    Country("CA", 5, -5, "en-CA,en;q=0.9,fr;q=0.5", ("99.224.0.0/12", "70.24.0.0/14")),
    Country("BR", 5, -3, "pt-BR,pt;q=0.9,en;q=0.5", ("177.32.0.0/14", "189.0.0.0/13")),
    Country("ES", 4, 1, "es-ES,es;q=0.9", ("88.0.0.0/13", "83.32.0.0/13")),
    Country("IT", 4, 1, "it-IT,it;q=0.9,en;q=0.6", ("79.0.0.0/13", "87.0.0.0/13")),
    Country("JP", 4, 9, "ja-JP,ja;q=0.9", ("126.0.0.0/10", "60.32.0.0/12")),
    Country("AU", 4, 10, "en-AU,en;q=0.9", ("1.120.0.0/13", "101.160.0.0/12")),
    Country("PL", 3, 1, "pl-PL,pl;q=0.9", ("83.0.0.0/12", "79.184.0.0/13")),
    Country("SE", 2, 1, "sv-SE,sv;q=0.9,en;q=0.8", ("90.224.0.0/13", "81.224.0.0/13")),
    Country("MX", 2, -6, "es-MX,es;q=0.9", ("187.128.0.0/13", "189.128.0.0/12")),
    Country("CH", 2, 1, "de-CH,de;q=0.9,fr;q=0.7", ("85.0.0.0/14", "178.192.0.0/14")),
    Country("KR", 1, 9, "ko-KR,ko;q=0.9", ("121.128.0.0/11", "175.192.0.0/12")),
    Country("TR", 1, 3, "tr-TR,tr;q=0.9", ("78.160.0.0/12", "88.224.0.0/12")),
    Country("ZA", 1, 2, "en-ZA,en;q=0.9", ("41.0.0.0/12", "196.208.0.0/13")),
    Country("AR", 1, -3, "es-AR,es;q=0.9", ("181.0.0.0/13", "190.16.0.0/14")),
)

_BUSIEST_HOUR = 15.0
_LEAST = 0.15


def wakefulness(local_hour: float) -> float:
    """How busy an hour of the day is there, from 0.15 before dawn to 1 in the afternoon."""
    wave = (1 + cos(2 * pi * (local_hour - _BUSIEST_HOUR) / 24)) / 2
    return _LEAST + (1 - _LEAST) * wave


def pick_country(rng: Random, utc_hour: float) -> Country:
    """A visitor's country, by its share and by who is awake."""
    return pick(
        rng, [(each.share * wakefulness(utc_hour + each.ahead_h), each) for each in COUNTRIES]
    )


def pick_address(rng: Random, country: Country) -> str:
    """A client address of that country."""
    network = IPv4Network(rng.choice(country.networks))
    return str(network[rng.randrange(1, network.num_addresses - 1)])
