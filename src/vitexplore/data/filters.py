"""Low-pass filters in the Fourier domain (paper section 5, Fig. 14)."""

import torch
from torch import Tensor

SIGMAS = (1.0, 3.0, 5.0, 7.0, 10.0, 15.0, 40.0)  # pixels of a 224 px image (Geirhos et al. 2021, model-vs-human)
SIGMA_SIZE = 224
CUTOFFS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of Nyquist


def frequencies(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Distance from frequency 0, 1 at Nyquist along an axis: float [size, size // 2 + 1], laid out as rfft2 does."""
    down = torch.fft.fftfreq(size, 0.5, device=device)
    across = torch.fft.rfftfreq(size, 0.5, device=device)
    return torch.hypot(down[:, None], across[None, :])


def disc(size: int, cutoff: float, device: torch.device | str = "cpu") -> Tensor:
    """Gain of the ideal low-pass: 1 up to ``cutoff`` (a share of Nyquist), 0 beyond; [size, size // 2 + 1]."""
    return (frequencies(size, device) <= cutoff).float()


def gaussian(size: int, sigma: float, device: torch.device | str = "cpu") -> Tensor:
    """Gain of a Gaussian blur whose standard deviation is ``sigma`` pixels of a SIGMA_SIZE px image, so that images of
    every size lose the same share of their detail: exp(-(2 pi f sigma)^2 / 2); [size, size // 2 + 1]."""
    own = sigma * size / SIGMA_SIZE
    return torch.exp(-((torch.pi * frequencies(size, device) * own) ** 2) / 2)


def filtered(images: Tensor, gain: Tensor) -> Tensor:
    """``images`` [b, c, s, s] with each frequency multiplied by ``gain`` [s, s // 2 + 1]. The image is taken to repeat
    beyond its edges; values are not clipped, so that the filter stays linear and commutes with normalisation."""
    size = images.shape[-1]
    return torch.fft.irfft2(torch.fft.rfft2(images) * gain, s=(size, size))
