//! Numbers over a stream: least, greatest, mean and standard deviation, in constant memory.

use protocol::dataset::Statistics;

/// What is known of the numbers so far.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of the squares of the differences from the mean.
    squares: f64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, squares: 0.0 }
    }
}

impl Numbers {
    /// Adds a number.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    /// Adds many: their mean and squares first, then both together.
    /// <https://doi.org/10.1080/00031305.1983.10483115>
    pub(crate) fn add_all(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let (count, before) = (values.len() as f64, self.count as f64);
        let mut sum = 0.0;
        for value in values {
            sum += value;
            self.min = self.min.min(*value);
            self.max = self.max.max(*value);
        }
        let mean = sum / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let (all, off) = (before + count, mean - self.mean);
        self.mean += off * count / all;
        self.squares += squares + off * off * before * count / all;
        self.count += values.len() as u64;
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What is shown of them. What overflowed is left out: JSON has no infinities.
    pub(crate) fn shown(&self) -> Statistics {
        let shown = |value: f64| (self.count > 0 && value.is_finite()).then_some(value);
        Statistics {
            min: shown(self.min),
            max: shown(self.max),
            mean: shown(self.mean),
            std: shown((self.squares / self.count as f64).sqrt()),
            ..Statistics::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn many_at_once_are_the_same_as_each() {
        let values: Vec<f64> = (0..1000).map(|n| 1e6 + f64::from(n % 17)).collect();
        let (mut each, mut all) = (Numbers::default(), Numbers::default());
        values.iter().for_each(|value| each.add(*value));
        values.chunks(7).for_each(|values| all.add_all(values));
        let (each, all) = (each.shown(), all.shown());
        assert_eq!((each.min, each.max), (Some(1e6), Some(1e6 + 16.0)));
        assert_eq!((all.min, all.max), (each.min, each.max));
        assert!((each.mean.unwrap() - all.mean.unwrap()).abs() < 1e-9);
        assert!((each.std.unwrap() - all.std.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn the_deviation_is_that_of_all_values() {
        let mut numbers = Numbers::default();
        numbers.add_all(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        let shown = numbers.shown();
        assert_eq!((shown.mean, shown.std), (Some(5.0), Some(2.0)));
        assert_eq!(Numbers::default().shown(), Statistics::default());
    }
}
