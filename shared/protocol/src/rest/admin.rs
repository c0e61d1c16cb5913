//! Customers and their keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new customer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewCustomer {
    /// What people call it; 1 to 200 characters.
    pub name: String,
}

/// A customer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    /// `cust_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A page of customers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Customers {
    /// Oldest first.
    pub customers: Vec<Customer>,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// A new key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    /// What people call it.
    pub name: Option<String>,
    /// `infer`, `train`, `models`, `projects`, `usage`, `devices`; by default all.
    pub scopes: Option<Vec<String>>,
    /// RFC 3339; by default it does not expire.
    pub expires_at: Option<String>,
}

/// A key without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// `key_…`
    pub id: String,
    /// The customer it stands for.
    pub customer_id: String,
    /// What people call it.
    pub name: Option<String>,
    /// The secret's first characters, to recognise it; `null` for a secret that somebody chose.
    pub prefix: Option<String>,
    /// What it opens.
    pub scopes: Vec<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC; `null` when it does not expire.
    pub expires_at: Option<String>,
    /// The secret; only in the first answer to its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A page of keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// Oldest first.
    pub keys: Vec<Key>,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// A message that failed too often.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// The queue that it came from.
    pub queue: String,
    /// Its own id.
    pub id: String,
    /// What it says.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// What became of what it names, with the last reason; `null` when it names no work.
    pub about: Option<String>,
}

/// Some of the dead letters of each queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetters {
    /// Ten of each queue at most.
    pub letters: Vec<DeadLetter>,
}

/// Which dead letters to give another try.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Redrive {
    /// `work`, `batches`, `sessions` or `uploads`; all by default.
    pub queue: Option<String>,
}

/// How many have another try.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Redriven {
    /// Messages that are in their queue again.
    pub moved: u64,
}
