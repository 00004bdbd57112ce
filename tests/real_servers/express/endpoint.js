// An endpoint as people write it in Express: a right one, or one with the fault that is named on the command line.
// node endpoint.js FAULT PORT; the secret is in LISTRAK_WEBHOOK_SECRET.
const crypto = require("node:crypto");
const express = require("express");

const [fault, port] = process.argv.slice(2);
const secret = process.env.LISTRAK_WEBHOOK_SECRET;
const app = express();

function isGenuine(request, body) {
  const timestamp = request.get("LTK-Timestamp") ?? "";
  const signature = request.get("LTK-HmacSignature") ?? "";
  if (!/^[1-9][0-9]{9}$/.test(timestamp)) return false;
  const mac = crypto.createHmac("sha256", secret).update(body).update(timestamp).digest();
  const spellings = [mac.toString("hex"), mac.toString("base64")].slice(0, fault === "hex only" ? 1 : 2);
  const given = Buffer.from(signature);
  const matches = spellings.map(Buffer.from).some((each) => each.length === given.length && crypto.timingSafeEqual(each, given));
  return matches && (fault === "ignores time" || Math.abs(Date.now() / 1000 - Number(timestamp)) <= 900);
}

function handle(request, response) {
  const body = fault === "parses" ? JSON.stringify(request.body) : Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (fault !== "accepts forgeries" && !isGenuine(request, body)) return response.sendStatus(401);
  return response.sendStatus(fault === "201" ? 201 : 200);
}

const parsers = {
  parses: express.json({ limit: "4mb" }),
  "100 kB": express.raw({ type: "*/*" }),
};
if (fault === "redirect") app.post("/listrak", (request, response) => response.redirect(307, "/listrak/"));
if (fault === "slow") app.use((request, response, next) => setTimeout(next, 2100));
app.use(parsers[fault] ?? express.raw({ type: "*/*", limit: "4mb" }));
app.use((error, request, response, next) => response.sendStatus(error.status ?? 500));
app.post("/listrak", handle);
app.get("/ping", (request, response) => response.sendStatus(200));
app.listen(Number(port), "127.0.0.1");
