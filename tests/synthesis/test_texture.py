import torch

from napari_spineseg.synthesis.texture import lend_texture


def test_texture_is_fine_relative_and_different_in_every_slice():
    generator = torch.Generator().manual_seed(0)
    real = 0.5 + 0.05 * torch.randn(1, 64, 64, generator=generator)
    painted = torch.full((3, 64, 64), 0.8)
    painted[:, :, 32:] = 0.2
    lent = lend_texture(painted, real, generator)
    left, right = (lent - painted)[:, :, :30], (lent - painted)[:, :, 34:]
    assert left.std() > 0.005
    assert torch.isclose(left.std() / right.std(), torch.tensor(4.0), rtol=0.2)
    assert left.mean().abs() < 0.01
    assert not torch.allclose(lent[0], lent[1])


def test_a_slice_without_detail_lends_none():
    painted = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(1))
    lent = lend_texture(painted, torch.full((1, 32, 32), 0.3), torch.Generator().manual_seed(2))
    assert torch.allclose(lent, painted, atol=1e-6)
