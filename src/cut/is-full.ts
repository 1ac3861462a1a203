/** Whether an error code of the system says that there is no room: the disk is full, or a quota is used up. */
export function isFull(code: string | undefined): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}
