// Reads drawings with the script of a page that was made: node page_reader.mjs FOLDER, which holds page.mjs (the
// script), model.json, rules.json and drawings.json; writes answers.json there.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const json = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const page = await import(pathToFileURL(join(folder, "page.mjs")));
const model = page.modelOf(json("model.json"));
const rules = json("rules.json");
const { fields, drawings, numbers, units, sayings } = json("drawings.json");

const plain = ({ best, probabilities, isDigit, reason, field, strokes }) =>
  ({ best, probabilities, isDigit, reason, field: Buffer.from(field).toString("base64"), strokes });
const recognizer = new page.Recognizer(model, rules);
const answers = {
  fields: fields.map((field) => plain(recognizer.readField(Buffer.from(field, "base64")))),
  drawings: drawings.map((strokes) => plain(recognizer.readStrokes(strokes))),
  numbers: numbers.map((strokes) => recognizer.readNumber(strokes).map(plain)),
  units: units.map(({ field, unit }) => {
    const values = page.activations(model.network, Buffer.from(field, "base64"));
    return page.explainUnit(model.network, values, unit);
  }),
  sayings: sayings.map(({ strokes, asNumber }) => {
    const { answer } = page.readDrawing(recognizer, strokes, asNumber);
    return { ...answer, spoken: page.spoken(answer) };
  }),
};
writeFileSync(join(folder, "answers.json"), JSON.stringify(answers));
