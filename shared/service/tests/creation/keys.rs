//! Secrets: how they are stored, what is shown of them, and where those count that somebody chose.

use dcmp_service::{Error, access, idempotency::Commit};
use protocol::rest::admin::{Key, NewCustomer, NewKey};

use crate::World;

#[test]
fn a_secret_is_stored_as_its_sha_256() {
    // FIPS 180-2, appendix B.1
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(access::hash("abc"), abc);
}

async fn listed(world: &World, secret: Option<&str>) -> (Key, Key) {
    let new = NewCustomer { name: "Ada".to_owned() };
    let customer = access::create_customer(&world.app, &new, Commit::alone()).await.unwrap().id;
    let (new, commit) = (NewKey::default(), Commit::alone());
    let created = match secret {
        Some(secret) => {
            access::create_key_with(&world.app, &customer, &new, secret, commit).await.unwrap()
        }
        None => access::create_key(&world.app, &customer, &new, commit).await.unwrap(),
    };
    let mut keys = access::list_keys(&world.app, &customer, None, 10).await.unwrap().keys;
    (created, keys.pop().unwrap())
}

#[tokio::test]
async fn only_a_made_secret_is_recognised_by_its_beginning() {
    let world = World::new();
    let (created, key) = listed(&world, None).await;
    assert_eq!(key.prefix.as_deref(), created.secret.as_deref().map(|secret| &secret[..9]));
    for chosen in ["secret", "test-api-key", "dcmp_short"] {
        let (created, key) = listed(&world, Some(chosen)).await;
        assert_eq!(created.secret.as_deref(), Some(chosen));
        assert_eq!((created.prefix, key.prefix), (None, None));
    }
}

#[tokio::test]
async fn a_chosen_secret_opens_nothing_in_public() {
    let world = World::new();
    let (made, _) = listed(&world, None).await;
    let made = made.secret.unwrap();
    listed(&world, Some("test-api-key")).await;
    let public = world.in_public();
    assert!(access::identify(&world.app, &made).await.is_ok());
    assert!(access::identify(&world.app, "test-api-key").await.is_ok());
    assert!(access::identify(&public, &made).await.is_ok());
    let refused = access::identify(&public, "test-api-key").await;
    assert!(matches!(refused, Err(Error::AuthInvalid(_))), "{refused:?}");
}
