//! The keys that a platform on this machine begins with.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use protocol::rest::admin::{NewCustomer, NewKey};
use service::{App, Error, access, idempotency::Commit};

use super::Args;
use crate::{exit::usage, home::Access, output};

/// The fewest characters of an operator's key where others reach the platform.
const STRONG_ADMIN_KEY: usize = 32;

/// A key that somebody chose may be guessed, so it counts only where nobody else can reach it.
pub(super) fn check_given(args: &Args) -> Result<()> {
    let listen = args.listen;
    if let Some(key) = &args.api_key {
        if key.trim().is_empty() {
            return Err(usage("--api-key is empty; leave it out to have one made"));
        }
        if !is_private(listen) && !access::has_made_form(key) {
            return Err(usage(format!(
                "--api-key accepts a text of your own only on a loopback address such as \
                 127.0.0.1; to serve {listen}, leave it out and take the key that is made"
            )));
        }
    }
    if let Some(key) = &args.admin_key {
        if key.trim().is_empty() {
            return Err(usage("--admin-key is empty; leave it out to have one made"));
        }
        if !is_good_admin_key(key, listen) {
            return Err(usage(format!(
                "--admin-key needs at least {STRONG_ADMIN_KEY} characters to serve {listen}; leave \
                 it out and take the key that is made"
            )));
        }
    }
    Ok(())
}

/// Whether only this machine reaches the platform.
pub(super) fn is_private(listen: SocketAddr) -> bool {
    listen.ip().is_loopback()
}

fn is_good_admin_key(key: &str, listen: SocketAddr) -> bool {
    is_private(listen) || key.len() >= STRONG_ADMIN_KEY
}

/// The operator's key: given, or as before, or new.
pub(super) fn admin(args: &Args, clock: &dyn ports::Clock, known: Option<&Access>) -> String {
    if let Some(key) = &args.admin_key {
        return key.clone();
    }
    if let Some(known) = known {
        if is_good_admin_key(&known.admin_key, args.listen) {
            return known.admin_key.clone();
        }
        output::say(
            "dcmp: the operator's key of the last start is too short where others reach the \
             platform; a new one is made",
        );
    }
    access::new_secret(clock, "dcmpadm_")
}

/// Makes sure that there is a customer with a key that works: the one given, the one of the last
/// start, or a new one.
pub(super) async fn first_customer(
    app: &App,
    given: Option<&str>,
    known: Option<&Access>,
) -> Result<String> {
    let candidate = given.or_else(|| known.map(|known| known.api_key.as_str()));
    if let Some(key) = candidate {
        match access::identify(app, key).await {
            Ok(_) => return Ok(key.to_owned()),
            Err(Error::AuthInvalid(_)) if given.is_none() => output::say(
                "dcmp: the API key of the last start opens nothing here: it was revoked, or it is a \
                 text of somebody's own, which counts on a loopback address only; a new one is made",
            ),
            Err(Error::AuthInvalid(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let customers = access::list_customers(app, None, 1).await?.customers;
    let customer = match customers.into_iter().next() {
        Some(customer) => customer,
        None => {
            let new = NewCustomer { name: "default".to_owned() };
            access::create_customer(app, &new, Commit::alone()).await?
        }
    };
    let new = NewKey { name: Some("dcmp up".to_owned()), ..NewKey::default() };
    let key = match given {
        Some(secret) => {
            access::create_key_with(app, &customer.id, &new, secret, Commit::alone()).await?
        }
        None => access::create_key(app, &customer.id, &new, Commit::alone()).await?,
    };
    key.secret.context("a new key comes without its secret")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use embedded::{Embedded, Options};

    use super::*;

    const PRIVATE: &str = "127.0.0.1:0";
    const PUBLIC: &str = "0.0.0.0:0";

    fn args(listen: &str) -> Args {
        Args {
            listen: listen.parse().unwrap(),
            data: None,
            api_key: None,
            admin_key: None,
            no_own_device: true,
            durability: Default::default(),
            public_url: None,
            heartbeat_ms: 5_000,
            lease_ms: 15_000,
            max_model_mb: 8192,
            upload_idle_ms: 60_000,
        }
    }

    fn access(api_key: &str, admin_key: &str) -> Access {
        Access { url: String::new(), api_key: api_key.into(), admin_key: admin_key.into() }
    }

    #[test]
    fn keys_that_may_be_guessed_are_given_on_a_loopback_address_only() {
        let made = format!("dcmp_{}", "x".repeat(32));
        let cases = [
            (Some("mine"), None, PRIVATE, true),
            (Some("mine"), None, PUBLIC, false),
            (Some("dcmp_mine"), None, PUBLIC, false),
            (Some(made.as_str()), None, PUBLIC, true),
            (None, Some("mine"), PRIVATE, true),
            (None, Some("mine"), PUBLIC, false),
            (None, Some(made.as_str()), PUBLIC, true),
            (Some(" "), None, PRIVATE, false),
            (None, Some(""), PRIVATE, false),
        ];
        for (api_key, admin_key, listen, good) in cases {
            let [api_key, admin_key] = [api_key, admin_key].map(|key| key.map(str::to_owned));
            let args = Args { api_key, admin_key, ..args(listen) };
            assert_eq!(check_given(&args).is_ok(), good, "{:?} {listen}", args.api_key);
        }
    }

    #[tokio::test]
    async fn keys_of_the_last_start_that_may_be_guessed_do_not_go_public() {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), Options::default()).unwrap();
        let start = async |listen, given, known: &Access| {
            let (args, known) = (args(listen), Some(known));
            let admin_key = admin(&args, &*store.ports().clock, known);
            let app = super::super::app(&args, &store, &admin_key);
            let api_key = first_customer(&app, given, known).await.unwrap();
            assert!(access::identify(&app, &api_key).await.is_ok());
            if listen == PUBLIC {
                assert!(access::identify(&app, "mine").await.is_err());
            }
            access(&api_key, &admin_key)
        };
        let private = start(PRIVATE, Some("mine"), &access("mine", "short")).await;
        assert_eq!(private, access("mine", "short"));
        let public = start(PUBLIC, None, &private).await;
        assert!(access::has_made_form(&public.api_key), "{}", public.api_key);
        assert!(public.admin_key.starts_with("dcmpadm_"), "{}", public.admin_key);
        assert_eq!(start(PUBLIC, None, &public).await, public);
        assert_eq!(start(PRIVATE, None, &public).await, public);
        assert_eq!(start(PRIVATE, Some("mine"), &public).await.api_key, "mine");
    }
}
