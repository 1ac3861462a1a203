import type { Step } from './file-steps.ts';

/** `link objects/*`: what a step does to which kind of key; the same in every run. */
export function nameOf(step: Step): string {
  return `${step.kind} ${shapeOf(step.to ?? step.path)}`;
}

/** A key with stars for what is another in every run. */
export function shapeOf(key: string): string {
  return key.split('/').map(shape).join('/');
}

function shape(part: string): string {
  const decoded = decodeURIComponent(part);
  if (decoded.includes('/')) return encodeURIComponent(shapeOf(decoded));
  if (/^now-[0-9a-f]+$/.test(part)) return 'now-*';
  const [, end = ''] =
    /^(?:[0-9a-f]{2}|[0-9a-f]{16,64}|[0-9a-f]{8}-\d+|\d{8}T\d{6}Z-[0-9a-f]{12})(\..*)?$/.exec(part) ?? [];
  return end === '' && !/^(?:[0-9a-f]{2}$|[0-9a-f]{8}-\d+$|[0-9a-f]{16,64}$|\d{8}T)/.test(part) ? part : `*${end}`;
}
