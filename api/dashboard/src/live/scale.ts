/** The least round number not below `count`, for the top of an axis. */
export function roundUp(count: number): number {
  if (count <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(count));
  const step = [1, 2, 4, 5, 10].find((each) => each * power >= count) ?? 10;
  return step * power;
}
