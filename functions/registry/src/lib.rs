//! Every function of the platform. A new area is one line in the registry of each program that has
//! functions of it; a new function is one line in its area.

use api::Route;

/// All functions, program by program.
pub fn routes() -> Vec<Route> {
    let mut routes = light_registry::routes();
    routes.extend(compute_registry::routes());
    routes
}

/// The OpenAPI document of all HTTP routes, as it is checked in.
pub fn openapi() -> String {
    let document = api::document(&routes(), env!("CARGO_PKG_VERSION"));
    let mut text = document.to_pretty_json().expect("a document of plain text is valid JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use api::Bundle;

    /// What a function is linked into and what is deployed for it are the same program.
    #[test]
    fn functions_are_listed_for_the_program_that_they_are_part_of() {
        for (routes, bundle) in [
            (light_registry::routes(), Bundle::Light),
            (compute_registry::routes(), Bundle::Compute),
        ] {
            for route in routes {
                assert_eq!(
                    route.bundle, bundle,
                    "`{}`: its area lists it in `routes` or in `computing_routes`, as it says \
                     `.computes()` or not",
                    route.name
                );
            }
        }
    }
}
