//! Who may do what: customers, their keys and scopes.

use serde::{Deserialize, Serialize};

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Scope {
    Infer,
    Train,
    Models,
    Projects,
    Usage,
    Devices,
}

impl Scope {
    /// Every scope; what a key opens by default.
    pub const ALL: [Scope; 6] =
        [Self::Infer, Self::Train, Self::Models, Self::Projects, Self::Usage, Self::Devices];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Train => "train",
            Self::Models => "models",
            Self::Projects => "projects",
            Self::Usage => "usage",
            Self::Devices => "devices",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Who owns, pays and sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// `cust_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Epoch milliseconds.
    pub created_ms: u64,
}

/// A key; its secret is known only to who was shown it, and stored as SHA-256.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// SHA-256 of the secret, in hex.
    pub hash: String,
    /// The secret's first characters, to recognise it; of one that somebody chose, none.
    pub prefix: Option<String>,
    /// Somebody chose the secret, so it may be guessed.
    #[serde(default)]
    pub chosen: bool,
    /// The customer it stands for.
    pub customer: String,
    /// What people call it.
    pub name: Option<String>,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// Epoch milliseconds.
    pub created_ms: u64,
    /// Epoch milliseconds; `None` when it does not expire.
    pub expires_ms: Option<u64>,
}

impl ApiKey {
    /// Whether the key still counts.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}
