// Reads an AsyncAPI document with the parser that its makers publish: node asyncapi.mjs FILE. Fails
// on what it calls an error or a warning.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const file = process.argv[2];
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
const faults = diagnostics.filter((d) => d.severity < 2); // above: information and hints
for (const d of faults) console.error(d.path.join("."), d.message);
if (!document || faults.length > 0) process.exit(1);
console.log(`AsyncAPI ${document.version()}: ${document.channels().length} channels, ${document.operations().length} operations, ${document.messages().length} messages`);
