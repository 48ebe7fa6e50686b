//! How likely so many sources are on a day by chance, as the days before were.
//!
//! From a median of [`LOW_BELOW`] on the sources of a day are taken to spread as their quartiles do, and never less than a Poisson distribution:
//! a normal distribution around the median with the interquartile range over 1.349 for its standard deviation. Medians and quartiles do not
//! follow a single day that is out of order. At low counts these say nothing; there the sources follow a Poisson distribution whose rate is the
//! mean of the days before and one source more, or the median and the interquartile range together where that is more.

/// Medians below are low counts.
const LOW_BELOW: f64 = 10.0;
/// Interquartile range of a normal distribution, in standard deviations.
const QUARTILES_NORMAL: f64 = 1.349;
/// Terms of a tail that are summed.
const TERMS_MAX: u32 = 1_000;

/// What is usual of a thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usual {
    pub median: f64,
    /// Interquartile range.
    pub quartiles: f64,
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Whether no day had any.
    pub never: bool,
    /// The mean with one source more.
    mean_and_one: f64,
}

impl Usual {
    /// Of the days before; of none everything is 0.
    #[must_use]
    pub(crate) fn of(before: &[u32]) -> Self {
        let mut sorted = before.to_vec();
        sorted.sort_unstable();
        let count = sorted.len().max(1) as f64;
        let sum: f64 = sorted.iter().map(|one| f64::from(*one)).sum();
        let mean = sum / count;
        let squares = sorted.iter().map(|one| (f64::from(*one) - mean).powi(2));
        Usual {
            median: quantile(&sorted, 0.5),
            quartiles: quantile(&sorted, 0.75) - quantile(&sorted, 0.25),
            mean,
            deviation: (squares.sum::<f64>() / count).sqrt(),
            never: sum == 0.0,
            mean_and_one: (sum + 1.0) / count,
        }
    }
}

/// By linear interpolation between the two nearest.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| {
        sorted
            .get(place as usize)
            .map_or(0.0, |one| f64::from(*one))
    };
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * (place - place.floor())
}

/// The natural logarithm of the probability of so many sources or more.
#[must_use]
pub(crate) fn ln_chance(sources: u64, usual: &Usual) -> f64 {
    if usual.median >= LOW_BELOW {
        let deviation = (usual.quartiles / QUARTILES_NORMAL).max(usual.median.sqrt());
        return ln_normal_tail((sources as f64 - usual.median) / deviation);
    }
    let rate = usual.mean_and_one.max(usual.median + usual.quartiles);
    ln_poisson_tail(sources, rate)
}

/// ln P(X >= count) of a Poisson distribution.
fn ln_poisson_tail(count: u64, rate: f64) -> f64 {
    let count = count as f64;
    if count <= rate {
        // At least a third; what does not exceed the rate is never new.
        return 0.0;
    }
    // The first term of the tail, and the sum of the others relative to it, which fall at least as fast as a geometric series.
    let first = count * rate.ln() - rate - ln_factorial(count);
    let (mut sum, mut term) = (1.0, 1.0);
    for step in 1..=TERMS_MAX {
        term *= rate / (count + f64::from(step));
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    (first + f64::ln(sum)).min(0.0)
}

/// ln n!, exact up to ten digits: the series of Stirling, shifted to where it converges.
fn ln_factorial(count: f64) -> f64 {
    let (mut shifted, mut product) = (count + 1.0, 0.0);
    while shifted < 10.0 {
        product += shifted.ln();
        shifted += 1.0;
    }
    let series =
        1.0 / (12.0 * shifted) - 1.0 / (360.0 * shifted.powi(3)) + 1.0 / (1260.0 * shifted.powi(5));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
        - product
}

/// ln P(Z >= z) of a normal distribution: a continued fraction (Abramowitz and Stegun, 26.2.14) from 1 on, below by the same at 1, as nothing
/// there is rare.
fn ln_normal_tail(z: f64) -> f64 {
    if z < 1.0 {
        return 0.0;
    }
    let mut fraction = z;
    for term in (1..=60).rev() {
        fraction = z + f64::from(term) / fraction;
    }
    -0.5 * z * z - (fraction * (2.0 * std::f64::consts::PI).sqrt()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn tails_are_those_of_the_tables() {
        // Normal: Abramowitz and Stegun, table 26.1 and 26.2.
        near(ln_normal_tail(2.0).exp(), 0.022_750_131_948);
        near(ln_normal_tail(5.0).exp(), 2.866_515_719e-7);
        near(ln_normal_tail(1.0).exp(), 0.158_655_254);
        // Poisson of rate 1: 1 - (1 + 1 + 1/2 + 1/6) / e from 4 on.
        near(
            ln_poisson_tail(4, 1.0).exp(),
            1.0 - (1.0 + 1.0 + 0.5 + 1.0 / 6.0) / std::f64::consts::E,
        );
        near(ln_poisson_tail(2, 0.5).exp(), 1.0 - 1.5 * (-0.5_f64).exp());
        assert_eq!(ln_poisson_tail(3, 4.0), 0.0);
        near(ln_factorial(0.0).exp(), 1.0);
        near(ln_factorial(5.0).exp(), 120.0);
        near(ln_factorial(20.0).exp(), 2_432_902_008_176_640_000.0);
    }

    #[test]
    fn quartiles_lie_between_the_days() {
        let usual = Usual::of(&[4, 1, 3, 2]);
        assert_eq!((usual.median, usual.quartiles, usual.mean), (2.5, 1.5, 2.5));
        let none = Usual::of(&[]);
        assert_eq!((none.median, none.quartiles, none.never), (0.0, 0.0, true));
    }

    #[test]
    fn more_sources_are_never_likelier() {
        for before in [vec![0; 28], vec![3; 28], vec![50; 28], (0..28).collect()] {
            let usual = Usual::of(&before);
            let chances: Vec<f64> = (0..200).map(|sources| ln_chance(sources, &usual)).collect();
            assert!(
                chances.windows(2).all(|pair| pair[1] <= pair[0]),
                "{before:?}"
            );
            assert!(
                chances
                    .iter()
                    .all(|chance| chance.is_finite() && *chance <= 0.0)
            );
        }
    }
}
