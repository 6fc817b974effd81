"""A few steps of SAE training with PyTorch autograd in float64: the reference for the hand-written gradients.

Formulas: SAELens 6.18 (standard, topk with auxiliary loss); see src/kernel/sae/step.ts.
Run: /usr/bin/python3 test/goldens/sae-training.py > test/goldens/sae-training.json
"""
import json
import torch

torch.set_default_dtype(torch.float64)
D, F, B, STEPS = 6, 24, 16, 4


def run(name, architecture, k=3, lam=0.0, apply_b_dec=True, rescale=False, aux=1.0, aux_b_dec=False, dead=(), max_norm=1.0, lr=1e-2):
    gen = torch.Generator().manual_seed(len(name) * 101 + 7)
    normal = lambda *s: torch.randn(*s, generator=gen).float().double()
    W_encT = (normal(F, D) * 0.5).float().double().requires_grad_()
    W_dec = (normal(F, D) * 0.5).float().double().requires_grad_()
    b_enc = (normal(F) * 0.1).float().double().requires_grad_()
    b_dec = (normal(D) * 0.1).float().double().requires_grad_()
    params = [W_encT, W_dec, b_enc, b_dec]
    start = torch.cat([p.detach().flatten() for p in params]).tolist()
    xs = normal(STEPS, B, D) + 0.3
    xs = xs.float().double()
    mask = torch.zeros(F, dtype=torch.bool)
    mask[list(dead)] = True
    optimizer = torch.optim.Adam(params, lr=lr)
    rows, gradients = [], None
    for x in xs:
        z = (x - b_dec if apply_b_dec else x) @ W_encT.T + b_enc
        norm = W_dec.norm(dim=-1)
        l1 = torch.tensor(0.0)
        aux_loss = torch.tensor(0.0)
        if architecture == "standard":
            f = z.relu()
            l1 = (f * norm).sum(-1).mean()
            x_hat = f @ W_dec + b_dec
        else:
            if rescale:
                z = z * norm
            top = z.topk(k, dim=-1)
            f = torch.zeros_like(z).scatter(-1, top.indices, top.values.relu())
            x_hat = (f / norm if rescale else f) @ W_dec + b_dec
            if mask.any():
                residual = (x - x_hat).detach()
                half = D // 2
                scale = min(int(mask.sum()) / half, 1.0)
                top = torch.where(mask[None], z, -torch.inf).topk(min(half, int(mask.sum())), dim=-1)
                acts = torch.zeros_like(z).scatter(-1, top.indices, top.values)
                recons = (acts / norm if rescale else acts) @ W_dec + (b_dec if aux_b_dec else 0)
                aux_loss = aux * scale * (recons - residual).pow(2).sum(-1).mean()
        mse = (x_hat - x).pow(2).sum(-1).mean()
        loss = mse + lam * l1 + aux_loss
        optimizer.zero_grad()
        loss.backward()
        if gradients is None:
            gradients = torch.cat([p.grad.flatten() for p in params]).tolist()
        grad_norm = float(torch.nn.utils.clip_grad_norm_(params, max_norm))
        sst = (x - x.mean(0)).pow(2).sum()
        rows.append(dict(loss=float(loss), mse=float(mse), l1=float(l1), aux=float(aux_loss), l0=float((f > 0).sum(-1).double().mean()),
                         explainedVariance=1 - float(mse) * B / float(sst), gradNorm=grad_norm))
        optimizer.step()
    end = torch.cat([p.detach().flatten() for p in params]).tolist()
    short = lambda v: [float(f"{a:.9g}") for a in v]
    return dict(name=name, architecture=architecture, k=k, l1Coefficient=lam, applyBDecToInput=apply_b_dec, rescaleActsByDecoderNorm=rescale,
                auxLossCoefficient=aux, auxIncludesBDec=aux_b_dec, dead=list(dead), maxGradNorm=max_norm, lr=lr, x=short(xs.flatten().tolist()),
                start=short(start), firstGradients=short(gradients), end=short(end), steps=rows)


cases = [
    run("standard", "standard", lam=0.7),
    run("standard, input as it is", "standard", lam=0.2, apply_b_dec=False, max_norm=1e9),
    run("topk", "topk"),
    run("topk, rescaled, five dead", "topk", rescale=True, dead=(2, 3, 11, 17, 20), max_norm=1e9),
    run("topk, two dead, b_dec in the auxiliary", "topk", dead=(1, 5), aux_b_dec=True, aux=0.5, apply_b_dec=False),
]


def clip(norm, max_norm):
    """The factor by which clip_grad_norm_ shrinks a gradient of this norm."""
    p = torch.zeros(2, requires_grad=True)
    p.grad = torch.tensor([0.6, 0.8]) * norm
    torch.nn.utils.clip_grad_norm_([p], max_norm)
    return float(p.grad.norm()) / norm


# Near the epsilon of the divisor, far above it, and below the limit.
clips = [dict(norm=n, maxNorm=m, factor=clip(n, m)) for n, m in ((5e-6, 5e-6), (1e-5, 2e-6), (1e-3, 1e-3), (3.0, 1.0), (0.5, 1.0))]
print(json.dumps(dict(dIn=D, dSae=F, batch=B, cases=cases, clips=clips)))
