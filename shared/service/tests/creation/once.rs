//! What is created with an `Idempotency-Key` is created once, whenever the process or the caller
//! goes away.

use dcmp_service::{
    App, Error, access,
    idempotency::{self, Request},
};
use futures::future::{Either, pending, select};
use protocol::rest::admin::{Customer, NewCustomer};
use tokio::sync::oneshot;

use crate::World;

fn request() -> Request<'static> {
    let fingerprint = idempotency::fingerprint(&["body"]);
    Request { customer: "admin", route: "POST /admin/customers", key: Some("k"), fingerprint }
}

fn ada() -> NewCustomer {
    NewCustomer { name: "Ada".to_owned() }
}

async fn create(app: &App) -> Result<Customer, Error> {
    idempotency::once(app, request(), async |commit| {
        access::create_customer(app, &ada(), commit).await
    })
    .await
}

async fn customers(app: &App) -> Vec<String> {
    let page = access::list_customers(app, None, 100).await.unwrap();
    page.customers.into_iter().map(|customer| customer.id).collect()
}

#[tokio::test]
async fn a_call_that_is_lost_right_after_the_creation_is_answered_when_repeated() {
    let world = World::new();
    let (made, is_made) = oneshot::channel();
    let lost = idempotency::once(&world.app, request(), async |commit| {
        made.send(access::create_customer(&world.app, &ada(), commit).await?).unwrap();
        pending::<Result<Customer, Error>>().await
    });
    let customer = match select(Box::pin(lost), is_made).await {
        Either::Right((customer, _lost)) => customer.unwrap(),
        Either::Left(_) => panic!("it never answers"),
    };
    for seconds in [0, 61] {
        world.clock.pass(seconds);
        assert_eq!(create(&world.app).await.unwrap().id, customer.id);
    }
    assert_eq!(customers(&world.app).await, [customer.id]);
}

#[tokio::test]
async fn whoever_comes_back_after_its_claim_was_taken_over_makes_nothing() {
    let world = World::new();
    let (claimed, is_claimed) = oneshot::channel();
    let (wake, sleeping) = oneshot::channel::<()>();
    let slow = idempotency::once(&world.app, request(), async |commit| {
        claimed.send(()).unwrap();
        sleeping.await.unwrap();
        access::create_customer(&world.app, &ada(), commit).await
    });
    let repeated = async {
        is_claimed.await.unwrap();
        assert!(matches!(create(&world.app).await, Err(Error::Conflict(_))), "it is in progress");
        world.clock.pass(61);
        let customer = create(&world.app).await.unwrap();
        wake.send(()).unwrap();
        customer
    };
    let (slow, customer) = tokio::join!(slow, repeated);
    assert!(matches!(slow, Err(Error::Conflict(_))), "{slow:?}");
    assert_eq!(create(&world.app).await.unwrap().id, customer.id);
    assert_eq!(customers(&world.app).await, [customer.id]);
}

#[tokio::test]
async fn a_key_is_free_after_a_refusal_and_after_a_day() {
    let world = World::new();
    let refused = idempotency::once(&world.app, request(), async |commit| {
        access::create_customer(&world.app, &NewCustomer { name: String::new() }, commit).await
    });
    assert!(matches!(refused.await, Err(Error::Invalid(_))));
    let first = create(&world.app).await.unwrap();
    world.clock.pass(24 * 3600 + 1);
    let second = create(&world.app).await.unwrap();
    // ids of the same millisecond are in any order
    let (mut listed, mut made) = (customers(&world.app).await, [first.id, second.id]);
    listed.sort_unstable();
    made.sort_unstable();
    assert_eq!(listed, made);
}
