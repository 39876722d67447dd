const STEPS = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];

/** The least round and even number not below `count`, for the top of an axis with a middle. */
export function roundUp(count: number): number {
  if (count <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(count));
  const tops = STEPS.map((step) => step * power).filter((top) => top % 2 === 0);
  return tops.find((top) => top >= count) ?? 10 * power;
}
