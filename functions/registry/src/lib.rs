//! Every function of the platform. A new area is one line, here if its crate carries an engine,
//! decoders or tokenizers, else in `light`; a new function is one line in its area.

use api::Route;

/// All functions, area by area.
pub fn routes() -> Vec<Route> {
    let areas = [light_registry::routes(), compute::routes(), adapter_routes::routes()];
    areas.into_iter().flatten().collect()
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

    /// A function of the light program must be linked into it.
    #[test]
    fn functions_of_the_light_program_are_in_areas_without_an_engine() {
        let light: Vec<_> = light_registry::routes().iter().map(|route| route.name).collect();
        for route in super::routes() {
            if route.bundle == Bundle::Light {
                assert!(
                    light.contains(&route.name),
                    "`{}` is in an area with an engine: say `.computes()` of it",
                    route.name
                );
            }
        }
    }
}
