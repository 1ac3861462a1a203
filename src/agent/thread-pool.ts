/** Node's own four are taken by four syncs of large files, and then nothing is read or written meanwhile. */
const THREADS = '8';

/** To be called before anything uses Node's pool of threads. What the environment says goes before. */
export function widenThreadPool(): void {
  process.env['UV_THREADPOOL_SIZE'] ??= THREADS;
}
