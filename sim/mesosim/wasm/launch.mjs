// MicroPython for 32 bits under node, as the unix port is started: `node launch.mjs PACKAGE FOLDER PROGRAM [TRACE]`.
//
// PACKAGE is micropython.mjs of the pinned npm package. FOLDER, the device's .mpy files, becomes /device, and the file
// TRACE, made anew, /dev/trace. PROGRAM's files 0 and 1 are this process's own, read and written synchronously: in lock
// step only one side ever runs. What it prints goes to stderr.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packagePath, folder, program, trace] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(packagePath).href);
const micropython = await loadMicroPython({ stdout: (text) => fs.writeSync(2, `${text}\n`) });
const { FS } = micropython;

/** Let a file of MicroPython's be an open file of this process. */
function lend(name, fd) {
  const device = FS.makedev(64, fd);
  FS.registerDevice(device, {
    read: (stream, buffer, offset, length) => fs.readSync(fd, buffer, offset, length),
    write: (stream, buffer, offset, length) => fs.writeSync(fd, buffer, offset, length),
  });
  FS.mkdev(name, device);
}

/** Copy a folder of this computer into MicroPython's files. */
function copy(from, to) {
  FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) copy(source, target);
    else FS.writeFile(target, fs.readFileSync(source));
  }
}

copy(folder, "/device");
for (const [fd, name, mode] of [[0, "/dev/line_in", "r"], [1, "/dev/line_out", "w"]]) {
  lend(name, fd);
  FS.closeStream(fd);
  FS.open(name, mode); // takes the lowest number that is free: the one just closed
}
if (trace) lend("/dev/trace", fs.openSync(trace, "w"));
try {
  for (const part of program.split("\f")) micropython.runPython(part); // garbage is collected between parts only
} catch (error) {
  fs.writeSync(2, `${error.message}\n`);
  process.exitCode = 1;
}
