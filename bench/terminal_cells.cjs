// Plays recordings in xterm.js and prints every cell: the other half of terminal_cells.py.
// Arguments: the package's folder. In: a JSON recording a line. Out: a JSON array of rows a line.
'use strict';
const { Terminal } = require(process.argv[2]);
const input = require('readline').createInterface({ input: process.stdin });
const waiting = [];
input.on('line', line => waiting.push(JSON.parse(line)));
input.on('close', async () => {
  for (const recording of waiting) console.log(JSON.stringify(await played(recording)));
});

async function played({ cols, rows, events }) {
  const terminal = new Terminal({ cols, rows, scrollback: 1000, allowProposedApi: true });
  for (const [code, data] of events) {
    if (code === 'o') {
      await new Promise(done => terminal.write(Buffer.from(data, 'base64'), done));
    } else if (code === 'r') {
      terminal.resize(data[0], data[1]);
    }
  }
  const buffer = terminal.buffer.active;
  const shown = [];
  for (let y = 0; y < terminal.rows; y++) {
    const line = buffer.getLine(buffer.baseY + y);
    shown.push(Array.from({ length: terminal.cols }, (_, x) => look(line.getCell(x))));
  }
  terminal.dispose();
  return shown;
}

function look(cell) {
  const flags = [cell.isBold(), cell.isDim(), cell.isItalic(), cell.isUnderline(), cell.isBlink(),
    cell.isInverse(), cell.isInvisible(), cell.isStrikethrough()];
  return [cell.getChars(), cell.getWidth(),
    cell.getFgColorMode() >> 24, cell.getFgColor(), cell.getBgColorMode() >> 24, cell.getBgColor(),
    flags.map(flag => (flag ? 1 : 0)).join('')];
}
