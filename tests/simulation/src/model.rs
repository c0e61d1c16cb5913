//! What simulated devices compute: something whose result is known, and inputs that harm whoever
//! computes them.

use bytes::Bytes;

/// A network: each output is a multiple of its input, and something more.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    /// `model_…`
    pub(crate) id: String,
    pub(crate) factor: f32,
    pub(crate) more: f32,
}

/// What an input does to a device, as its second number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poison {
    /// Nothing.
    None,
    /// It is refused, and another device would refuse it too.
    Refused,
    /// It fails, though another device might succeed.
    Fails,
    /// The device dies of it.
    Kills,
}

impl Poison {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Refused, Self::Fails, Self::Kills];

    /// As an input carries it.
    pub(crate) fn mark(self) -> f32 {
        match self {
            Self::None => 0.0,
            Self::Refused => 1.0,
            Self::Fails => 2.0,
            Self::Kills => 3.0,
        }
    }

    pub(crate) fn of(input: &[f32]) -> Self {
        let carried = |poison: &Self| input.get(1) == Some(&poison.mark());
        Self::ALL.into_iter().find(carried).unwrap_or(Self::None)
    }

    /// Why a job with such an input fails: the code that its owner is shown.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Refused => Some("REFUSED_INPUT"),
            Self::Fails => Some("FAILED_INPUT"),
            Self::Kills => Some("DEVICE_LOST"),
        }
    }
}

impl Model {
    /// The right outputs.
    pub(crate) fn run(&self, input: &[f32]) -> Vec<f32> {
        input.iter().map(|value| value * self.factor + self.more).collect()
    }

    /// The file of one with these numbers.
    pub(crate) fn file(factor: f32, more: f32) -> Bytes {
        format!("{factor} {more}").into()
    }
}

/// The numbers of an answer.
pub(crate) fn floats_of(data: &serde_json::Value) -> Option<Vec<f32>> {
    serde_json::from_value(data.clone()).ok()
}
