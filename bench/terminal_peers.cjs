// Feeds inputs to xterm.js and prints its speed: a part of terminal_peers.py.
// Arguments: the package's folder. In: a JSON input a line. Out: megabytes a second a line.
'use strict';
const { Terminal } = require(process.argv[2]);
const CHUNK = 65536;
const input = require('readline').createInterface({ input: process.stdin });
const waiting = [];
input.on('line', line => waiting.push(JSON.parse(line)));
input.on('close', async () => {
  for (const each of waiting) await rate(each); // so that its compiler has seen everything
  for (const each of waiting) {
    let best = 0;
    for (let run = 0; run < 3; run++) best = Math.max(best, await rate(each));
    console.log(best);
  }
});

async function rate({ columns, lines, data }) {
  const bytes = Buffer.from(data, 'base64');
  const options = { cols: columns, rows: lines, scrollback: 1000, allowProposedApi: true };
  const terminal = new Terminal(options);
  const start = process.cpuUsage();
  for (let at = 0; at < bytes.length; at += CHUNK) {
    await new Promise(done => terminal.write(bytes.subarray(at, at + CHUNK), done));
  }
  const spent = process.cpuUsage(start);
  terminal.dispose();
  return bytes.length / (spent.user + spent.system);
}
