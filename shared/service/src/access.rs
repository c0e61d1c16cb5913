//! Customers, their keys, and who a secret belongs to.

use std::sync::Arc;

use domain::{
    access::{ApiKey, Customer, Scope},
    name,
};
use ports::{Clock, Condition, Key, Order, Write};
use protocol::rest::admin;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{App, Error, Result, cache, idempotency::Commit, table, time};

/// Customers' secrets begin with this.
const KEY_PREFIX: &str = "dcmp_";

/// How many random characters follow.
const RANDOM: usize = 32;

/// How much of a secret is kept to recognise it: the prefix and four of its characters.
const SHOWN: usize = KEY_PREFIX.len() + 4;

/// Whoever holds a customer's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `cust_…`
    pub customer: String,
    /// `key_…`
    pub key: String,
}

/// Finds whose key it is, and that it opens `scope`.
///
/// # Errors
/// `AuthInvalid` for an unknown, expired or revoked key, `Forbidden` for one without the scope.
pub async fn authenticate(app: &App, secret: &str, scope: Scope) -> Result<Caller> {
    let key = find(app, secret).await?;
    if !key.scopes.contains(&scope) {
        let message = format!(
            "this API key lacks the scope `{}`; ask the operator for a key with it",
            scope.name()
        );
        return Err(Error::Forbidden(message));
    }
    Ok(Caller { customer: key.customer.clone(), key: key.id.clone() })
}

/// Finds whose key it is, whatever it opens.
///
/// # Errors
/// `AuthInvalid` for an unknown, expired or revoked key.
pub async fn identify(app: &App, secret: &str) -> Result<Caller> {
    let key = find(app, secret).await?;
    Ok(Caller { customer: key.customer.clone(), key: key.id.clone() })
}

async fn find(app: &App, secret: &str) -> Result<Arc<ApiKey>> {
    find_hashed(app, &hash(secret)).await?.ok_or_else(|| {
        let message = "the API key in X-API-Key is unknown, expired or revoked";
        Error::AuthInvalid(message.to_owned())
    })
}

/// Whether the key with this hash counts and opens `scope`.
pub(crate) async fn opens(app: &App, hash: &str, scope: Scope) -> Result<bool> {
    Ok(find_hashed(app, hash).await?.is_some_and(|key| key.scopes.contains(&scope)))
}

/// The key with this hash, if it counts.
async fn find_hashed(app: &App, hash: &str) -> Result<Option<Arc<ApiKey>>> {
    let now = app.now_ms();
    let key = match app.caches().keys.get(hash, now, cache::KEY_MS) {
        Some(key) => Some(key),
        None => {
            let key: Option<ApiKey> =
                table::load(&*app.ports.records, &table::api_key(hash)).await?;
            let key = key.map(Arc::new);
            if let Some(key) = &key {
                app.caches().keys.insert(hash, now, key.clone());
            }
            key
        }
    };
    let counts =
        |key: &Arc<ApiKey>| key.is_valid(now) && (!key.chosen || app.settings().chosen_keys);
    Ok(key.filter(counts))
}

/// Whether `secret` is the operator's.
pub fn is_admin(app: &App, secret: &str) -> bool {
    hash(secret).as_bytes().ct_eq(app.settings().admin_key_hash.as_bytes()).into()
}

/// The hash under which a secret is stored: SHA-256, in hex.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

/// Whether a customer's secret has the form of those that are made here; what somebody chose instead
/// may be guessed.
pub fn has_made_form(secret: &str) -> bool {
    secret.strip_prefix(KEY_PREFIX).is_some_and(|rest| rest.len() >= RANDOM)
}

/// A new secret: the prefix and 32 random characters of 0-9, a-z and A-Z, about 190 bits.
pub fn new_secret(clock: &dyn Clock, prefix: &str) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut text = prefix.to_owned();
    while text.len() < prefix.len() + RANDOM {
        let mut bytes = [0; 48];
        clock.random(&mut bytes);
        // bytes over the largest multiple of 62 would favour the first characters
        let fair = bytes.into_iter().filter(|byte| *byte < 248);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        text.truncate(prefix.len() + RANDOM);
    }
    text
}

/// Makes a customer.
pub async fn create_customer(
    app: &App,
    new: &admin::NewCustomer,
    commit: Commit,
) -> Result<admin::Customer> {
    let name = name::label(&new.name).map_err(|error| Error::invalid("name", error.to_string()))?;
    let customer = Customer {
        id: app.ports.clock.id("cust"),
        name: name.to_owned(),
        created_ms: app.now_ms(),
    };
    let write =
        Write::put(table::customer(&customer.id), table::encode(&customer)?, Condition::Absent);
    let customer = show_customer(customer);
    commit.write(app, vec![write], &customer).await?;
    Ok(customer)
}

/// A page of customers, oldest first.
pub async fn list_customers(
    app: &App,
    cursor: Option<&str>,
    limit: usize,
) -> Result<admin::Customers> {
    let records = &*app.ports.records;
    let partition = table::CUSTOMERS.to_owned();
    let (items, next_cursor) =
        table::page(records, partition, "", cursor, limit, Order::Ascending).await?;
    let customers = items
        .into_iter()
        .map(|(_, item)| table::decode(item).map(show_customer))
        .collect::<Result<_>>()?;
    Ok(admin::Customers { customers, next_cursor })
}

/// Makes a key for a customer; the answer is the only one that ever shows its secret.
pub async fn create_key(
    app: &App,
    customer: &str,
    new: &admin::NewKey,
    commit: Commit,
) -> Result<admin::Key> {
    let secret = new_secret(&*app.ports.clock, KEY_PREFIX);
    create_key_with(app, customer, new, &secret, commit).await
}

/// Makes a key whose secret is given by the operator of a platform on one machine.
pub async fn create_key_with(
    app: &App,
    customer: &str,
    new: &admin::NewKey,
    secret: &str,
    commit: Commit,
) -> Result<admin::Key> {
    check_customer(app, customer).await?;
    let now = app.now_ms();
    let made = has_made_form(secret);
    let name = new.name.as_deref().map(name::label).transpose();
    let key = ApiKey {
        id: app.ports.clock.id("key"),
        hash: hash(secret),
        prefix: made.then(|| secret.chars().take(SHOWN).collect()),
        chosen: !made,
        customer: customer.to_owned(),
        name: name.map_err(|error| Error::invalid("name", error.to_string()))?.map(str::to_owned),
        scopes: scopes(new.scopes.as_deref())?,
        created_ms: now,
        expires_ms: new.expires_at.as_deref().map(|text| expiry(text, now)).transpose()?,
    };
    let pointer = Pointer { hash: key.hash.clone(), customer: key.customer.clone() };
    let writes = vec![
        Write::put(table::api_key(&key.hash), table::encode(&key)?, Condition::Absent),
        Write::put(table::key_by_id(&key.id), table::encode(&pointer)?, Condition::Always),
        Write::put(
            table::owned(customer, "KEY", &key.id),
            table::encode(&pointer)?,
            Condition::Always,
        ),
    ];
    // secrets are stored nowhere, not for repetitions either
    let shown = show_key(key);
    commit.write(app, writes, &shown).await?;
    Ok(admin::Key { secret: Some(secret.to_owned()), ..shown })
}

/// A page of a customer's keys, oldest first, without secrets.
pub async fn list_keys(
    app: &App,
    customer: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<admin::Keys> {
    check_customer(app, customer).await?;
    let records = &*app.ports.records;
    let partition = table::owner(customer);
    let (items, next_cursor) =
        table::page(records, partition, "KEY#", cursor, limit, Order::Ascending).await?;
    let rows: Vec<Key> = items
        .into_iter()
        .map(|(_, item)| table::decode::<Pointer>(item).map(|row| table::api_key(&row.hash)))
        .collect::<Result<_>>()?;
    let mut keys = Vec::with_capacity(rows.len());
    for rows in rows.chunks(100) {
        for item in records.batch_get(rows).await?.into_iter().flatten() {
            keys.push(show_key(table::decode(item)?));
        }
    }
    Ok(admin::Keys { keys, next_cursor })
}

/// Revokes a key; other processes may believe it for [`cache::KEY_MS`] more.
pub async fn revoke_key(app: &App, id: &str) -> Result<()> {
    let missing = || Error::NotFound(format!("there is no key `{id}`"));
    if !name::is_id(id, "key") {
        return Err(missing());
    }
    let by_id = table::key_by_id(id);
    let pointer: Pointer = table::load(&*app.ports.records, &by_id).await?.ok_or_else(missing)?;
    let token = app
        .ports
        .records
        .transact(vec![
            Write::delete(table::api_key(&pointer.hash), Condition::Always),
            Write::delete(by_id, Condition::Always),
            Write::delete(table::owned(&pointer.customer, "KEY", id), Condition::Always),
        ])
        .await?;
    app.caches().keys.remove(&pointer.hash);
    app.ports.records.durable(token).await?;
    Ok(())
}

/// That there is such a customer.
async fn check_customer(app: &App, id: &str) -> Result<()> {
    let found: Option<Customer> = match name::is_id(id, "cust") {
        true => table::load(&*app.ports.records, &table::customer(id)).await?,
        false => None,
    };
    let missing = || {
        Error::NotFound(format!(
            "there is no customer `{id}`; GET /api/v1/admin/customers lists them"
        ))
    };
    found.map(drop).ok_or_else(missing)
}

/// From a key's id to its item.
#[derive(Serialize, Deserialize)]
struct Pointer {
    hash: String,
    customer: String,
}

fn scopes(names: Option<&[String]>) -> Result<Vec<Scope>> {
    let Some(names) = names else { return Ok(Scope::ALL.to_vec()) };
    let scopes = names.iter().enumerate().map(|(index, name)| {
        Scope::parse(name).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::name).join(", ");
            Error::invalid(
                format!("scopes[{index}]"),
                format!("`{name}` is no scope; there are {known}"),
            )
        })
    });
    let scopes = scopes.collect::<Result<Vec<_>>>()?;
    if scopes.is_empty() {
        return Err(Error::invalid(
            "scopes",
            "name at least one scope, or leave the field out for all",
        ));
    }
    Ok(scopes)
}

fn expiry(text: &str, now_ms: u64) -> Result<u64> {
    let expires = time::parse(text, "expires_at")?;
    if expires <= now_ms {
        return Err(Error::invalid(
            "expires_at",
            "lies in the past; the key would never open anything",
        ));
    }
    Ok(expires)
}

fn show_customer(customer: Customer) -> admin::Customer {
    admin::Customer {
        id: customer.id,
        name: customer.name,
        created_at: time::rfc3339(customer.created_ms),
    }
}

fn show_key(key: ApiKey) -> admin::Key {
    admin::Key {
        id: key.id,
        customer_id: key.customer,
        name: key.name,
        prefix: key.prefix,
        scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        created_at: time::rfc3339(key.created_ms),
        expires_at: key.expires_ms.map(time::rfc3339),
        secret: None,
    }
}
