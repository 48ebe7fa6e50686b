//! Statistics of daily values: medians and quartiles, the tail of a Poisson count with dispersion, the false discovery rate, shared ranks.
//!
//! Pure arithmetic; nothing here reads data.

/// Days that a day is held against.
pub const BASELINE_DAYS: usize = 28;
/// How many of these days must have been observed well enough.
pub const BASELINE_DAYS_MIN: usize = 7;
/// The share of false findings that is accepted (Benjamini and Hochberg 1995).
pub const FALSE_DISCOVERY_RATE: f64 = 0.01;
/// Least hosts of a finding.
pub const HOSTS_MIN: f64 = 20.0;
/// Least multiple of the median that a finding must reach.
pub const MEDIANS_MIN: f64 = 2.0;

/// Median and quartiles of a set of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// A quarter of the values is below.
    pub low: f64,
    /// Half of the values is below.
    pub median: f64,
    /// Three quarters of the values are below.
    pub high: f64,
}

/// Median and quartiles with linear interpolation; `None` without values.
#[must_use]
pub fn quartiles(values: &[f64]) -> Option<Quartiles> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        sorted[low] + (sorted[(low + 1).min(last)] - sorted[low]) * part
    };
    Some(Quartiles {
        low: at(0.25),
        median: at(0.5),
        high: at(0.75),
    })
}

/// The expected count of a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpectedCount {
    /// Median of the days before, at this day's exposure.
    pub median: f64,
    /// Mean of the distribution that is tested: the median, or a small value for a port that was never probed.
    pub mean: f64,
    /// Variance ÷ mean, 1 or more; taken from the quartile range, which is robust against an earlier spike.
    pub dispersion: f64,
}

/// The expected count at an exposure, from the counts per unit of exposure of the days before.
#[must_use]
pub fn expected(rates: &[f64], exposure: f64) -> Option<ExpectedCount> {
    let counts: Vec<f64> = rates.iter().map(|rate| rate * exposure).collect();
    let spread = quartiles(&counts)?;
    // Half a host over all days, if none was seen.
    let least = 0.5 / counts.len() as f64;
    let mean = spread.median.max(least);
    // The quartile range of a normal distribution is 1.349 standard deviations.
    let deviation = (spread.high - spread.low) / 1.349;
    Some(ExpectedCount {
        median: spread.median,
        mean,
        dispersion: (deviation * deviation / mean).max(1.0),
    })
}

/// Natural logarithm of the probability that a count with this mean and dispersion is `count` or more: Poisson, or the negative binomial
/// whose variance is dispersion × mean.
#[must_use]
pub fn tail_ln(count: f64, expected: &ExpectedCount) -> f64 {
    let (count, mean) = (count.round(), expected.mean);
    if count <= mean {
        return 0.0;
    }
    let spread = expected.dispersion;
    let (first, ratio): (f64, Box<dyn Fn(f64) -> f64>) = if spread < 1.0 + 1e-9 {
        (
            count * mean.ln() - mean - ln_gamma(count + 1.0),
            Box::new(move |k| mean / (k + 1.0)),
        )
    } else {
        let size = mean / (spread - 1.0);
        let hit = (spread - 1.0) / spread;
        (
            ln_gamma(count + size) - ln_gamma(size) - ln_gamma(count + 1.0)
                + size * (1.0 / spread).ln()
                + count * hit.ln(),
            Box::new(move |k| (k + size) / (k + 1.0) * hit),
        )
    };
    let (mut sum, mut term, mut k) = (1.0, 1.0, count);
    // Above the mean the terms fall at least like a geometric series.
    for _ in 0..100_000 {
        term *= ratio(k);
        sum += term;
        k += 1.0;
        if term < sum * 1e-12 {
            break;
        }
    }
    (first + f64::ln(sum)).min(0.0)
}

/// Natural logarithm of the gamma function, after Lanczos (g = 7, n = 9); relative error below 1e-13.
fn ln_gamma(value: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if value < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * value).sin()).ln() - ln_gamma(1.0 - value);
    }
    let x = value - 1.0;
    let mut sum = TERMS[0];
    for (place, term) in TERMS.iter().enumerate().skip(1) {
        sum += term / (x + place as f64);
    }
    let shifted = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * shifted.ln() - shifted + sum.ln()
}

/// Which of these logarithms of probabilities are findings among `tests` tests, by the step-up rule of Benjamini and Hochberg. Tests that
/// are not given rank behind those given.
#[must_use]
pub fn discoveries(tails_ln: &[f64], tests: usize, rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..tails_ln.len()).collect();
    order.sort_by(|&a, &b| tails_ln[a].total_cmp(&tails_ln[b]));
    let limit = |rank: usize| (rank as f64 * rate / tests.max(1) as f64).ln();
    let last = (1..=order.len())
        .rev()
        .find(|&rank| tails_ln[order[rank - 1]] <= limit(rank));
    let mut found = vec![false; tails_ln.len()];
    for &index in &order[..last.unwrap_or(0)] {
        found[index] = true;
    }
    found
}

/// Ranks from 1 of descending values, and whether each is shared: neighbours share a rank if their difference is below two standard errors.
/// `error_percent` is the standard error of one value.
#[must_use]
pub fn ranks(values: &[f64], error_percent: f64) -> Vec<(usize, bool)> {
    let apart = |a: f64, b: f64| {
        let error = error_percent / 100.0 * a.hypot(b);
        a - b > 2.0 * error && a > b
    };
    let mut found: Vec<(usize, bool)> = Vec::with_capacity(values.len());
    // Compared with the first of the rank, so that a chain of small steps does not join distant values.
    let mut head = 0;
    for place in 0..values.len() {
        if place == 0 || apart(values[head], values[place]) {
            head = place;
            found.push((place + 1, false));
        } else {
            found[head].1 = true;
            found.push((head + 1, true));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poisson(mean: f64, dispersion: f64) -> ExpectedCount {
        ExpectedCount {
            median: mean,
            mean,
            dispersion,
        }
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        let found = quartiles(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((found.low, found.median, found.high), (1.75, 2.5, 3.25));
        assert_eq!(quartiles(&[]), None);
    }

    #[test]
    fn tails_agree_with_the_sums_of_probabilities() {
        // 1 − Σ e^−3 3^k/k! for k below 8, and for a negative binomial of mean 3 and variance 6 (size 3, p ½).
        for (dispersion, expected) in [(1.0, 0.011_904_503_856_1), (2.0, 0.054_687_5)] {
            let found = tail_ln(8.0, &poisson(3.0, dispersion)).exp();
            assert!((found / expected - 1.0).abs() < 1e-6, "{found}");
        }
        assert_eq!(tail_ln(2.0, &poisson(3.0, 1.0)), 0.0);
        assert!(tail_ln(6000.0, &poisson(0.5, 1.0)) < -40_000.0);
    }

    #[test]
    fn an_earlier_spike_does_not_hide_the_next() {
        let mut rates = vec![100.0; 27];
        rates.push(50_000.0);
        let expected = expected(&rates, 1.0).unwrap();
        assert_eq!((expected.median, expected.dispersion), (100.0, 1.0));
    }

    #[test]
    fn false_discoveries_are_bounded_over_all_tests() {
        let tails = [1e-9_f64.ln(), 1e-4_f64.ln(), 0.5_f64.ln()];
        assert_eq!(discoveries(&tails, 3, 0.01), [true, true, false]);
        assert_eq!(discoveries(&tails, 6_000_000, 0.01), [true, false, false]);
        assert_eq!(discoveries(&[], 10, 0.01), Vec::<bool>::new());
    }

    #[test]
    fn ranks_within_two_standard_errors_are_shared() {
        let found = ranks(&[1000.0, 500.0, 490.0, 480.0, 100.0], 1.6);
        assert_eq!(
            found,
            [(1, false), (2, true), (2, true), (2, true), (5, false)]
        );
        assert_eq!(
            ranks(&[3.0, 3.0, 1.0], 0.0),
            [(1, true), (1, true), (3, false)]
        );
    }
}
