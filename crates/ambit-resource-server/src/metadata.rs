//! Where what an API says about itself (RFC 9728) is found.

use ambit_protocol::metadata::protected_resource_url;
use url::Url;

/// The address of an API's metadata; an identifier that is no address has none.
pub(crate) fn metadata_url(identifier: &str) -> Option<String> {
    let is_address = Url::parse(identifier).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    is_address.then(|| protected_resource_url(identifier))
}

/// The path of that address.
pub(crate) fn metadata_path(identifier: &str) -> String {
    let url = metadata_url(identifier).and_then(|url| Url::parse(&url).ok());
    url.map_or_else(|| WELL_KNOWN_PATH.to_owned(), |url| url.path().to_owned())
}

/// Where the metadata of an API is whose identifier has no path.
pub const WELL_KNOWN_PATH: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_of_an_address_is_on_its_host_and_another_identifier_has_none() {
        let pos = "https://pos.example/.well-known/oauth-protected-resource";
        assert_eq!(metadata_url("https://pos.example/").as_deref(), Some(pos));
        assert_eq!(metadata_url("https://pos.example/api/v1"), Some(format!("{pos}/api/v1")));
        assert_eq!(metadata_url("urn:example:pos"), None);
        assert_eq!(metadata_path("https://pos.example/api?v=1"), format!("{WELL_KNOWN_PATH}/api"));
        assert_eq!(metadata_path("https://pos.example"), WELL_KNOWN_PATH);
        assert_eq!(metadata_path("urn:example:pos"), WELL_KNOWN_PATH);
    }
}
