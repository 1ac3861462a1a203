/** All that `restore.sh` may need beside a shell; `[`, `printf` and the like are the shell's own. */
export const RESTORE_TOOLS = [
  ...['sha256sum', 'jq', 'zstd', 'age', 'cp'],
  ...['base64', 'cat', 'chmod', 'cut', 'head', 'ln', 'mkdir', 'mktemp', 'paste', 'rm', 'sort', 'sync', 'tail', 'wc'],
];
