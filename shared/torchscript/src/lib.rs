//! Checking TorchScript files, which only PyTorch can run.
//!
//! Nothing of a file is executed and nothing is unpickled: the archive is held to limits and to
//! PyTorch's layout, and its pickles' instructions are read one by one against a list of what TorchScript
//! itself writes. What passes is sent to devices that declare `torchscript`.

mod inflate;
mod layout;
mod pickle;

pub use layout::check;

/// Why a file is not accepted as TorchScript: a sentence that names the entry and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Why a check ended early.
enum Problem {
    /// What was found.
    Refused(Refused),
    /// The file cannot be read.
    Io(std::io::Error),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<archive::Error> for Problem {
    fn from(error: archive::Error) -> Self {
        match error {
            archive::Error::Refused(why) => Self::Refused(Refused(why)),
            archive::Error::Io(error) => Self::Io(error),
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
