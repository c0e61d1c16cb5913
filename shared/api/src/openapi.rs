//! The OpenAPI document, from the routes' own descriptions.

use domain::access::Scope;
use http::StatusCode;
use protocol::rest::errors::Envelope;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, InfoBuilder, License, OpenApi, Paths, Ref, RefOr, Response,
        ResponseBuilder, Server,
        path::Operation,
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};

use crate::{Auth, BASE_PATH, Entry, Route};

/// Describes every HTTP route: its own words, plus who may call it and how errors look.
pub fn document(routes: &[Route], version: &str) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    for route in routes {
        let Entry::Http(http) = &route.entry else { continue };
        let (schemas, described, _) = (http.describe)();
        components.schemas.extend(schemas);
        for (path, mut item) in described.paths {
            let methods =
                [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in methods.into_iter().flatten() {
                operation.operation_id = Some(route.name.to_owned());
                complete(operation, route.auth);
            }
            match paths.paths.get_mut(&path) {
                Some(known) => known.merge_operations(item),
                None => {
                    paths.paths.insert(path, item);
                }
            }
        }
    }
    let mut schemas = Vec::new();
    Envelope::schemas(&mut schemas);
    schemas.push((Envelope::name().into_owned(), Envelope::schema()));
    components.schemas.extend(schemas);
    for (name, header) in
        [("api_key", "X-API-Key"), ("admin_key", "X-Admin-Key"), ("sdk_token", "X-SDK-Token")]
    {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(header)));
        components.security_schemes.insert(name.to_owned(), scheme.into());
    }
    let info = InfoBuilder::new()
        .title("dcmp API")
        .version(version)
        .description(Some("Distributed compute: upload a model, run it on contributed computers."))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    let mut document = OpenApi::new(info, paths);
    document.servers = Some(vec![Server::new(BASE_PATH)]);
    document.components = Some(components);
    document
}

/// Adds what the route declares beside its handler.
fn complete(operation: &mut Operation, auth: Auth) {
    let key = |name: &str, scope: Option<Scope>| {
        SecurityRequirement::new(name, scope.map(Scope::name).into_iter().collect::<Vec<_>>())
    };
    operation.security = match auth {
        Auth::Open | Auth::Platform => None,
        Auth::Customer(scope) => Some(vec![key("api_key", Some(scope))]),
        Auth::CustomerOrDevice(scope) => {
            Some(vec![key("api_key", Some(scope)), key("sdk_token", None)])
        }
        Auth::Admin => Some(vec![key("admin_key", None)]),
    };
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(Response { description, .. }) = response
            && description.is_empty()
        {
            // OpenAPI wants one
            let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            let reason = status.and_then(|status| status.canonical_reason());
            *description = reason.unwrap_or("Success").to_owned();
        }
    }
    let error = ResponseBuilder::new()
        .description("Any error, in the same envelope.")
        .content("application/json", Content::new(Some(Ref::from_schema_name("Envelope"))))
        .build();
    operation.responses.responses.insert("default".to_owned(), error.into());
}
