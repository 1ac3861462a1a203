const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** `1234567` as `1.2 MB`. */
export function size(bytes: number): string {
  let i = 0;
  let n = bytes;
  while (n >= 1000 && i < UNITS.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[i]}`;
}

/** `95` seconds as `1m35s`. */
export function seconds(exact: number): string {
  const s = Math.round(exact);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}s`;
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
}

/** Decimal µs since the epoch as ISO time with all six digits. */
export function micros(us: string): string {
  const ms = Number(BigInt(us) / 1000n);
  return new Date(ms).toISOString().replace(/(\.\d{3})Z$/, `$1${us.slice(-3)}Z`);
}
