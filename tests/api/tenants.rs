//! The tenant matrix: every HTTP route, called by everybody who should not get what they ask for. A
//! route without a row fails here, and so does a row without a route.

use std::collections::BTreeSet;

use api::{Auth, Entry, Route};
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    support::{ADMIN, Client, KEY, Platform, answer, fixture, mlp_case},
    text,
};

/// One real object of each kind, of the first customer, or ids of the same form without objects.
#[derive(Clone)]
struct Ids {
    model: String,
    /// A model that comes in parts.
    upload: String,
    dataset: String,
    /// A dataset that comes in parts.
    dataset_upload: String,
    job: String,
    batch: String,
    device: String,
    logs: String,
    customer: String,
    key: String,
}

impl Ids {
    fn absent() -> Self {
        let id = |kind: &str| format!("{kind}_00000000000000000000000000000000");
        Self {
            model: id("model"),
            upload: id("model"),
            dataset: id("dataset"),
            dataset_upload: id("dataset"),
            job: id("infer"),
            batch: id("batch"),
            device: id("dev"),
            logs: id("logs"),
            customer: id("cust"),
            key: id("key"),
        }
    }

    fn all(&self) -> [&str; 10] {
        [
            &self.model,
            &self.upload,
            &self.dataset,
            &self.dataset_upload,
            &self.job,
            &self.batch,
            &self.device,
            &self.logs,
            &self.customer,
            &self.key,
        ]
    }
}

enum Body {
    None,
    Json(Value),
    Model,
    Dataset,
}

/// How to call a route with a real object, and what the right caller is answered then.
struct Row {
    route: &'static str,
    path: fn(&Ids) -> String,
    body: fn(&Ids) -> Body,
    right: u16,
}

fn row(route: &'static str, right: u16, path: fn(&Ids) -> String) -> Row {
    Row { route, path, body: |_| Body::None, right }
}

/// In an order in which the right caller can go through all of it.
fn rows() -> Vec<Row> {
    vec![
        row("health-basic", 200, |_| "/health".into()),
        row("health-detailed", 200, |_| "/health/detailed".into()),
        row("docs-openapi", 200, |_| "/openapi.json".into()),
        row("docs-page", 200, |_| "/docs".into()),
        Row { body: |_| Body::Model, ..row("models-upload", 201, |_| "/models".into()) },
        row("models-list", 200, |_| "/models".into()),
        row("models-show", 200, |ids| format!("/models/{}", ids.model)),
        row("models-upload-progress", 200, |ids| format!("/models/{}/upload", ids.upload)),
        Row {
            body: |_| Body::Json(json!({ "parts": [] })),
            ..row("models-upload-parts", 200, |ids| format!("/models/{}/upload/parts", ids.upload))
        },
        row("models-upload-give-up", 204, |ids| format!("/models/{}/upload", ids.upload)),
        row("models-complete", 202, |ids| format!("/models/{}/complete", ids.model)),
        Row {
            body: |_| Body::Json(json!({ "labels": ["a"] })),
            ..row("models-update-schema", 200, |ids| format!("/models/{}/schema", ids.model))
        },
        Row {
            body: |_| Body::Model,
            ..row("models-upload-version", 201, |ids| format!("/models/{}/versions", ids.model))
        },
        row("models-list-versions", 200, |ids| format!("/models/{}/versions", ids.model)),
        row("models-download", 302, |ids| format!("/models/{}/download", ids.model)),
        Row { body: |_| Body::Dataset, ..row("datasets-upload", 201, |_| "/datasets".into()) },
        row("datasets-list", 200, |_| "/datasets".into()),
        row("datasets-show", 200, |ids| format!("/datasets/{}", ids.dataset)),
        row("datasets-upload-progress", 200, |ids| {
            format!("/datasets/{}/upload", ids.dataset_upload)
        }),
        Row {
            body: |_| Body::Json(json!({ "parts": [] })),
            ..row("datasets-upload-parts", 200, |ids| {
                format!("/datasets/{}/upload/parts", ids.dataset_upload)
            })
        },
        row("datasets-complete", 202, |ids| format!("/datasets/{}/complete", ids.dataset)),
        Row { body: inference, ..row("inference-submit", 202, |_| "/inference".into()) },
        row("inference-show", 200, |ids| format!("/inference/{}", ids.job)),
        Row { body: batch, ..row("inference-batch", 202, |_| "/inference/batch".into()) },
        row("inference-list", 200, |_| "/inference/batch".into()),
        row("inference-results", 200, |ids| format!("/inference/{}/results", ids.batch)),
        row("inference-cancel", 200, |ids| format!("/inference/{}", ids.job)),
        row("devices-list", 200, |_| "/devices".into()),
        row("devices-stats", 200, |_| "/devices/stats".into()),
        row("devices-show", 200, |ids| format!("/devices/{}", ids.device)),
        row("devices-logs", 200, |ids| format!("/devices/{}/logs", ids.device)),
        row("devices-logs-show", 200, |ids| format!("/devices/{}/logs/{}", ids.device, ids.logs)),
        row("devices-drain", 200, |ids| format!("/devices/{}/drain", ids.device)),
        Row {
            body: |_| Body::Json(json!({ "name": "a" })),
            ..row("admin-create-customer", 201, |_| "/admin/customers".into())
        },
        row("admin-list-customers", 200, |_| "/admin/customers".into()),
        Row { body: |_| Body::Json(json!({})), ..row("admin-create-key", 201, keys) },
        row("admin-list-keys", 200, keys),
        row("admin-dead-letters", 200, |_| "/admin/dead-letters".into()),
        Row {
            body: |_| Body::Json(json!({})),
            ..row("admin-redrive", 200, |_| "/admin/dead-letters/redrive".into())
        },
        row("admin-revoke-key", 204, |ids| format!("/admin/keys/{}", ids.key)),
        row("datasets-delete", 204, |ids| format!("/datasets/{}", ids.dataset)),
        row("models-delete", 204, |ids| format!("/models/{}", ids.model)),
    ]
}

fn keys(ids: &Ids) -> String {
    format!("/admin/customers/{}/keys", ids.customer)
}

fn dataset() -> Form {
    let file = Part::bytes(b"a,label\n1,x\n2,y\n".to_vec()).file_name("rows.csv");
    Form::new().part("file", file)
}

fn inference(ids: &Ids) -> Body {
    let (input, placement) = (mlp_case().0, "platform");
    let body =
        json!({ "model_id": ids.model, "input": input, "async": true, "placement": placement });
    Body::Json(body)
}

fn batch(ids: &Ids) -> Body {
    let inputs = [mlp_case().0];
    Body::Json(json!({ "model_id": ids.model, "inputs": inputs, "placement": "platform" }))
}

fn routes() -> Vec<Route> {
    let is_http = |route: &Route| matches!(route.entry, Entry::Http(_));
    registry::routes().into_iter().filter(is_http).collect()
}

fn route(name: &str) -> Route {
    routes().into_iter().find(|route| route.name == name).unwrap()
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let names: BTreeSet<_> = routes().iter().map(|route| route.name).collect();
    let rows = rows();
    assert_eq!(names, rows.iter().map(|row| row.route).collect());
    for row in rows {
        // the row calls the path that the route declares
        let (_, declared) = route(row.route).operation().unwrap();
        let called = (row.path)(&Ids::absent());
        let fits = |(is, want): (&str, &str)| is == want || want.starts_with('{');
        assert_eq!(called.split('/').count(), declared.split('/').count(), "{}", row.route);
        assert!(called.split('/').zip(declared.split('/')).all(fits), "{}", row.route);
    }
}

/// A platform where every kind of object exists. Its job waits for ever: nothing runs it.
struct World {
    platform: Platform,
    ids: Ids,
    _device: crate::support::Device,
}

impl World {
    async fn new() -> Self {
        let platform = Platform::without_own_device();
        let device = platform.device("desk").await;
        let listed = platform.until_listed("desk", "idle").await;
        let customer = platform.admin.get("/admin/customers").await.1["customers"][0].clone();
        let mut ids = Ids {
            model: platform.upload("mlp.onnx").await,
            device: text(&listed["id"]).to_owned(),
            customer: text(&customer["id"]).to_owned(),
            ..Ids::absent()
        };
        let announced = json!({ "size": 1, "checksum": format!("sha256:{}", "0".repeat(64)) });
        let (_, begun) = platform.client.post("/models", announced.clone()).await;
        ids.upload = text(&begun["id"]).to_owned();
        let mut announced = announced;
        announced["format"] = json!("csv");
        let (_, begun) = platform.client.post("/datasets", announced).await;
        ids.dataset_upload = text(&begun["id"]).to_owned();
        let dataset = platform.client.request(Method::POST, "/datasets").multipart(dataset());
        ids.dataset = text(&answer(dataset).await.1["id"]).to_owned();
        let (_, key) = platform.admin.post(&keys(&ids), json!({})).await;
        ids.key = text(&key["id"]).to_owned();
        let (_, logs) = platform.client.get(&format!("/devices/{}/logs", ids.device)).await;
        ids.logs = text(&logs["request_id"]).to_owned();
        let Body::Json(body) = inference(&ids) else { panic!("an inference is JSON") };
        let (_, job) = platform.client.post("/inference", body).await;
        ids.job = text(&job["job_id"]).to_owned();
        let Body::Json(body) = batch(&ids) else { panic!("a batch is JSON") };
        let (_, accepted) = platform.client.post("/inference/batch", body).await;
        ids.batch = text(&accepted["job_id"]).to_owned();
        Self { platform, ids, _device: device }
    }

    fn caller(&self, header: &'static str, secret: &str) -> Client {
        Client::new(&self.platform.url, header, secret)
    }

    /// A key that was good once.
    async fn revoked(&self) -> Client {
        let (_, key) = self.platform.admin.post(&keys(&self.ids), json!({})).await;
        let client = self.caller("x-api-key", text(&key["secret"]));
        assert_eq!(client.get("/models").await.0, StatusCode::OK);
        self.platform.admin.delete(&format!("/admin/keys/{}", text(&key["id"]))).await;
        client
    }
}

async fn call(row: &Row, ids: &Ids, client: &Client) -> (StatusCode, Value) {
    let (method, _) = route(row.route).operation().unwrap();
    let method = serde_json::to_value(method).unwrap().as_str().unwrap().to_uppercase();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = client.request(method, &(row.path)(ids));
    answer(match (row.body)(ids) {
        Body::None => request,
        Body::Json(body) => request.json(&body),
        Body::Dataset => request.multipart(dataset()),
        Body::Model => request.multipart(form("mlp.onnx", fixture("mlp.onnx"), &[])),
    })
    .await
}

#[tokio::test]
async fn nobody_gets_in_without_the_right_key() {
    let world = World::new().await;
    let nobody = world.caller("x-other", "value");
    let unknown = world.caller("x-api-key", "dcmp_00000000000000000000000000000000");
    let revoked = world.revoked().await;
    let admin_as_customer = world.caller("x-api-key", ADMIN);
    let customer_as_admin = world.caller("x-admin-key", KEY);
    let admin = &world.platform.admin;
    let customer = &world.platform.client;
    let device = world.caller("x-sdk-token", &format!("{}.token", world.ids.device));
    for row in rows() {
        let refused = match route(row.route).auth {
            Auth::Open => vec![],
            Auth::Customer(_) => vec![
                (&nobody, "AUTH_REQUIRED"),
                (&unknown, "AUTH_INVALID"),
                (&revoked, "AUTH_INVALID"),
                (&admin_as_customer, "AUTH_INVALID"),
                (admin, "AUTH_REQUIRED"),
                (&device, "AUTH_REQUIRED"),
            ],
            Auth::CustomerOrDevice(_) => vec![
                (&nobody, "AUTH_REQUIRED"),
                (&unknown, "AUTH_INVALID"),
                (&revoked, "AUTH_INVALID"),
                (&admin_as_customer, "AUTH_INVALID"),
                (admin, "AUTH_REQUIRED"),
                (&device, "AUTH_INVALID"),
            ],
            Auth::Admin => vec![
                (&nobody, "AUTH_REQUIRED"),
                (&customer_as_admin, "AUTH_INVALID"),
                (&unknown, "AUTH_REQUIRED"),
                (customer, "AUTH_REQUIRED"),
                (&device, "AUTH_REQUIRED"),
            ],
            Auth::Platform => panic!("{} is served to nobody", row.route),
        };
        for (caller, code) in refused {
            let answer = call(&row, &world.ids, caller).await;
            assert!(answer.0 == StatusCode::UNAUTHORIZED, "{}: {}", row.route, answer.1);
            assert_refused(answer, 401, code, &[]);
        }
    }
    everybody_right_gets_through(&world).await;
}

#[tokio::test]
async fn a_key_without_the_scope_is_forbidden() {
    let world = World::new().await;
    let all = ["infer", "train", "models", "projects", "usage", "devices"];
    for row in rows() {
        let (Auth::Customer(scope) | Auth::CustomerOrDevice(scope)) = route(row.route).auth else {
            continue;
        };
        let others: Vec<_> = all.into_iter().filter(|name| *name != scope.name()).collect();
        let other = world.platform.customer(json!({ "scopes": others })).await;
        let answer = call(&row, &world.ids, &other).await;
        assert!(answer.0 == StatusCode::FORBIDDEN, "{}: {}", row.route, answer.1);
        assert_refused(answer, 403, "FORBIDDEN", &[&format!("`{}`", scope.name())]);
    }
}

/// What is somebody else's is as if it were not there: not even the words differ.
#[tokio::test]
async fn a_stranger_finds_nothing() {
    let world = World::new().await;
    let stranger = world.platform.stranger().await;
    let absent = Ids::absent();
    let without_ids = |body: &Value| {
        let pairs = world.ids.all().into_iter().zip(absent.all());
        let text = pairs.fold(body.to_string(), |text, (real, none)| text.replace(real, none));
        let mut body: Value = serde_json::from_str(&text).unwrap();
        body["error"]["request_id"] = Value::Null;
        body
    };
    for row in rows() {
        if matches!(route(row.route).auth, Auth::Open | Auth::Admin) {
            continue;
        }
        let foreign = call(&row, &world.ids, &stranger).await;
        let in_body = match (row.body)(&absent) {
            Body::Json(body) => body.to_string().contains(&absent.model),
            _ => false,
        };
        let names_something = in_body || (row.path)(&world.ids) != (row.path)(&absent);
        if !names_something {
            // a list, a sum or an upload of the stranger's own
            assert!(foreign.0.is_success(), "{}: {}", row.route, foreign.1);
            for id in world.ids.all() {
                assert!(!foreign.1.to_string().contains(id), "{} shows {id}", row.route);
            }
            continue;
        }
        assert_eq!(foreign.0, StatusCode::NOT_FOUND, "{}: {}", row.route, foreign.1);
        let none = call(&row, &absent, &stranger).await;
        assert_eq!(none.0, foreign.0, "{}", row.route);
        assert_eq!(without_ids(&none.1), without_ids(&foreign.1), "{}", row.route);
    }
    everybody_right_gets_through(&world).await;
}

/// The same calls by those who may; so nothing was changed by those who may not.
async fn everybody_right_gets_through(world: &World) {
    let nobody = world.caller("x-other", "value");
    for row in rows() {
        let caller = match route(row.route).auth {
            Auth::Open => &nobody,
            Auth::Admin => &world.platform.admin,
            _ => &world.platform.client,
        };
        let (status, body) = call(&row, &world.ids, caller).await;
        assert_eq!(status.as_u16(), row.right, "{}: {body}", row.route);
    }
}
