"""Models of series: yardsticks without networks, networks, and what they make together."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_series.auto import Auto
    from anomalo_series.diffusion.series_ddpm import SeriesDdpm
    from anomalo_series.networks.masked_series import MaskedSeries
    from anomalo_series.networks.recurrent import Recurrent
    from anomalo_series.networks.recurrent_vae import RecurrentVae
    from anomalo_series.networks.tcn import Tcn
    from anomalo_series.yardsticks.curves import Polynomial, Seasonal
    from anomalo_series.yardsticks.gaussian import Gaussian
    from anomalo_series.yardsticks.interpolation import Interpolation, SeasonalInterpolation
    from anomalo_series.yardsticks.largest_residual import LargestResidual
    from anomalo_series.yardsticks.moving_z import MovingZ
    from anomalo_series.yardsticks.neighbours import MatrixProfile, Neighbours
    from anomalo_series.yardsticks.sub_pca import SubPca

    yardsticks = [MovingZ, SubPca, Neighbours, MatrixProfile, Polynomial, Seasonal, Gaussian, LargestResidual]
    networks = [Recurrent, RecurrentVae, Tcn, MaskedSeries, SeriesDdpm]
    return [Auto, *yardsticks, Interpolation, SeasonalInterpolation, *networks]
