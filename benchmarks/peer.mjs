// llama.cpp on the same weights: decodes as many tokens as each line of standard input says and answers with the rate.
// Usage: node peer.mjs WEIGHTS.gguf THREADS   (needs the npm package node-llama-cpp beside it)
import { createInterface } from "node:readline";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [weights, threads] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads), logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: weights });
const context = await model.createContext({ contextSize: 1024, threads: Number(threads) });
const sequence = context.getSequence();
const prompt = model.tokenize("以《江村》为题写一首七言律诗。".repeat(3));

async function decode(count) {
  await sequence.clearHistory();
  let first;
  let written = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    first ??= performance.now();
    if (written++ === count) break;
  }
  return count / ((performance.now() - first) / 1000);
}

await decode(8);
console.log(JSON.stringify({ ready: true, version: llama.llamaCppRelease?.release }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ tokens_per_second: await decode(Number(line)) }));
}
