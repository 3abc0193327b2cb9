import { isAboutRecovery } from './parse-recovery-log';

/** Of a log that is read portion by portion, the lines that tell of recoveries: a handful, whatever else was logged. */
export class RecoveryLines {
  #text = '';
  /** The beginning of a line whose end is in the next portion. */
  #rest = '';

  add(portion: string): void {
    const lines = `${this.#rest}${portion}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (isAboutRecovery(line)) this.#text += `${line}\n`;
  }

  /** Call it at the end of each file. */
  endFile(): void {
    this.add('\n');
  }

  get text(): string {
    return this.#text;
  }
}
