import { onTestFinished } from 'vitest';
import { removeFolder, tortureFolder } from './torture-folder.ts';

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await tortureFolder();
  onTestFinished(() => removeFolder(folder));
  return folder;
}
