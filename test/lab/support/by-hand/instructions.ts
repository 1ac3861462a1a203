/** The commands of a RESTORE.md: by the title of each section (without its number) its blocks, in their order. */
export function commandsOf(page: string): (title: string) => string[] {
  const sections = new Map<string, string[]>();
  for (const section of page.split(/^## \d+\. /m).slice(1)) {
    const [title = '', ...lines] = section.split('\n');
    const blocks: string[] = [];
    lines.forEach((line, i) => {
      if (!line.startsWith('    ')) return;
      const isFirst = !lines[i - 1]?.startsWith('    ');
      blocks[isFirst ? blocks.length : blocks.length - 1] = `${isFirst ? '' : `${blocks.at(-1)}\n`}${line.slice(4)}`;
    });
    sections.set(title, blocks);
  }
  return (title) => {
    const found = sections.get(title);
    if (!found) throw new Error(`RESTORE.md has no section ${title}: ${[...sections.keys()].join(', ')}`);
    return found;
  };
}

/** The same commands with the reader's own values where the page has `name=value` as an example; each must be there. */
export function withValues(commands: string, values: Record<string, string>): string {
  let text = commands;
  for (const [name, value] of Object.entries(values)) {
    const example = new RegExp(`(?<=^|[\\s;])${name}=[^\\s$]+`, 'm');
    if (!example.test(text)) throw new Error(`no example of ${name} in: ${commands}`);
    text = text.replace(example, () => `${name}='${value}'`);
  }
  return text;
}
