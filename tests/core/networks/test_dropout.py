import pytest
import torch

from napari_spineseg.core.networks.dropout import ByteDropout


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_right_share_is_dropped_and_the_mean_stays(layout, dtype):
    torch.manual_seed(0)
    values = torch.ones(4, 6, 61, 53, dtype=dtype).to(memory_format=layout)
    out = ByteDropout(0.3).train()(values)
    assert out.dtype == dtype and out.is_contiguous(memory_format=layout)
    assert float((out == 0).float().mean()) == pytest.approx(77 / 256, abs=0.01)
    assert float(out.float().mean()) == pytest.approx(1, abs=0.015)
    assert len(out.unique()) == 2


def test_what_is_dropped_has_no_gradient():
    values = torch.randn(2, 3, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    out = ByteDropout(0.5).train()(values)
    out.sum().backward()
    assert torch.equal(values.grad, torch.where(out == 0, 0.0, 2.0))


def test_neighbours_are_dropped_independently():
    torch.manual_seed(1)
    gone = (ByteDropout(0.5).train()(torch.ones(64, 4096)) == 0).float() - 0.5
    for step in range(1, 9):
        assert abs(float((gone[:, step:] * gone[:, :-step]).mean())) < 0.003


def test_in_use_nothing_is_dropped():
    values = torch.randn(1, 2, 8, 8)
    assert torch.equal(ByteDropout(0.5).eval()(values), values)
    assert torch.equal(ByteDropout(0.0).train()(values), values)


def test_other_layouts_work_too():
    values = torch.ones(3, 8, 10, 12).permute(1, 0, 3, 2).requires_grad_()
    out = ByteDropout(0.1).train()(values)
    out.sum().backward()
    assert out.shape == values.grad.shape == values.shape
