import { SkepError } from '../../../errors.ts';
import type { AskRelay } from './messages.ts';

let asks: AskRelay | undefined;

/** How this process asks its controller about a repository that it does not reach itself. */
export function setRelay(given: AskRelay): void {
  asks = given;
}

/** What was given to `setRelay`. */
export function relay(): AskRelay {
  if (asks === undefined) throw new SkepError('internal', 'there is no controller to ask');
  return asks;
}
