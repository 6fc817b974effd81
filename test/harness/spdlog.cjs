/**
 * Takes the place of VS Code's native logger, which is compiled on installation: without one, the files behind output
 * channels are never written and the channels stay empty. Not rotated: a test run writes little.
 */
const { appendFileSync, mkdirSync } = require('node:fs');
const path = require('node:path');

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];

class Logger {
  constructor(kind, name, file) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.file = file;
    this.level = 0;
    this.formatted = true;
  }
  setLevel(level) {
    this.level = level;
  }
  getLevel() {
    return this.level;
  }
  setPattern() {
    this.formatted = true;
  }
  clearFormatters() {
    this.formatted = false;
  }
  flush() {}
  drop() {}
  write(level, text) {
    if (level < this.level) return;
    const when = new Date().toISOString().replace('T', ' ').replace('Z', '');
    appendFileSync(this.file, this.formatted ? `${when} [${LEVELS[level]}] ${text}\n` : text);
  }
}
for (const [level, name] of LEVELS.entries())
  Logger.prototype[name] = function (text) {
    this.write(level, text);
  };

const created = async (name, file) => new Logger('rotating', name, file);
// Each by a name that an import of this file can see.
module.exports.version = 0;
module.exports.Logger = Logger;
module.exports.setLevel = () => {};
module.exports.setFlushOn = () => {};
module.exports.createRotatingLogger = created;
module.exports.createAsyncRotatingLogger = created;
