"""Peers of `vitrine bench decode`: llama.cpp on the same GGUF file, and PyTorch in single precision on the same shapes.

    decode_peers.py llama MODEL.gguf|torch [--threads N] [--prompt N] [--tokens N] [--repeats N]

One JSON line as `vitrine --json bench decode --single` prints it; medians, processor time of the process.
PyTorch runs with random weights: only the time counts, and it does not depend on them.
"""

import argparse
import json
import resource
import statistics
import time


def clocks():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), use.ru_utime + use.ru_stime


def timed(work):
    wall, cpu = clocks()
    work()
    wall_after, cpu_after = clocks()
    return wall_after - wall, cpu_after - cpu


def token_ids(n, salt):
    return [(i * 7919 + 13 + salt) % 24576 for i in range(n)]


def llama(path, args):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.warmup = args.prompt + args.tokens + 64, 1, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    server = xllamacpp.Server(params)

    def complete(salt, tokens):
        request = {"prompt": token_ids(args.prompt, salt), "n_predict": tokens, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
        return timed(lambda: server.handle_completions(request))

    complete(1, 2)
    for repeat in range(args.repeats):
        # The first token comes with the prompt; the others are what decoding costs.
        reading = complete(repeat + 2, 1)
        both = complete(repeat + 2, args.tokens + 1)
        yield reading, tuple(b - r for b, r in zip(both, reading))


def torch_f32(args):
    import torch

    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    layers, width, heads, kv_heads, d_head, hidden, vocab = 30, 576, 9, 3, 64, 1536, 49152
    limit, group = args.prompt + args.tokens, heads // kv_heads
    matrix = lambda rows, columns: torch.randn(rows, columns) * 0.02
    embed = matrix(vocab, width)
    blocks = [
        {
            "qkv": matrix((heads + 2 * kv_heads) * d_head, width),
            "out": matrix(width, heads * d_head),
            "gate_up": matrix(2 * hidden, width),
            "down": matrix(width, hidden),
            "scales": torch.ones(2, width),
        }
        for _ in range(layers)
    ]
    keys, values = (torch.zeros(layers, kv_heads, limit, d_head) for _ in range(2))
    rates = 100000.0 ** (-torch.arange(d_head // 2) / (d_head / 2))
    linear, norm = torch.nn.functional.linear, torch.nn.functional.rms_norm

    def turn(x, angles):
        a, b = x.chunk(2, -1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), -1)

    def forward(ids, past):
        x, n = embed[ids], len(ids)
        positions = torch.arange(past, past + n)
        angles = (positions[:, None] * rates)[None]
        hide = torch.arange(past + n)[None] > positions[:, None]
        for layer, block in enumerate(blocks):
            qkv = linear(norm(x, (width,), block["scales"][0], 1e-5), block["qkv"]).view(n, -1, d_head).transpose(0, 1)
            q, k, v = qkv.split((heads, kv_heads, kv_heads))
            keys[layer, :, past : past + n] = turn(k, angles)
            values[layer, :, past : past + n] = v
            k, v = (part[layer, :, : past + n].repeat_interleave(group, 0) for part in (keys, values))
            scores = (turn(q, angles) @ k.transpose(1, 2)) * d_head**-0.5
            z = scores.masked_fill(hide, -1e30).softmax(-1) @ v
            x = x + linear(z.transpose(0, 1).reshape(n, -1), block["out"])
            gate, up = linear(norm(x, (width,), block["scales"][1], 1e-5), block["gate_up"]).chunk(2, -1)
            x = x + linear(torch.nn.functional.silu(gate) * up, block["down"])
        return int(linear(norm(x[-1:], (width,), block["scales"][0], 1e-5), embed).argmax())

    def decode(token):
        for i in range(args.tokens):
            token = forward([token], args.prompt + i)

    for repeat in range(args.repeats + 1):
        reading = timed(lambda: forward(token_ids(args.prompt, repeat), 0))
        writing = timed(lambda: decode(1))
        if repeat:
            yield reading, writing


parser = argparse.ArgumentParser()
parser.add_argument("peer", choices=["llama", "torch"])
parser.add_argument("model", nargs="?")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--prompt", type=int, default=128)
parser.add_argument("--tokens", type=int, default=32)
parser.add_argument("--repeats", type=int, default=3)
args = parser.parse_args()
runs = list(llama(args.model, args) if args.peer == "llama" else torch_f32(args))


def rate(n, times):
    wall, cpu = (statistics.median(column) for column in zip(*times))
    return {"wall_s": wall, "cpu_s": cpu, "tokens_per_s": n / wall, "tokens_per_cpu_s": n / cpu}


reading, writing = zip(*runs)
result = {"schema": "vitrine.bench.decode/1", "program": args.peer, "threads": args.threads}
result |= {"prompt_tokens": args.prompt, "tokens": args.tokens, "prompt": rate(args.prompt, reading), "decode": rate(args.tokens, writing)}
print(json.dumps(result))
