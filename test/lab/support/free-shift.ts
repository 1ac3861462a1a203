import { takenAddresses } from '../../../lab/clusters/free-addresses.ts';
import { type LabSize, layoutOf } from '../../../lab/layout.ts';

/** A shift on whose addresses nothing listens; begins at random, so that runs at the same time rarely meet. */
export async function freeShift(nodes?: LabSize): Promise<number> {
  const first = Math.floor(Math.random() * 90);
  for (let n = 0; n < 90; n++) {
    const shift = 10 + ((first + n) % 90);
    if ((await takenAddresses(layoutOf({ shift, nodes }))).length === 0) return shift;
  }
  throw new Error('every shift is taken');
}
