//! How the pages of a tenant look: its text in place of a logo, and its colour.
//!
//! A page may have no style but those of its template and the stylesheets of this server (`policy.rs`). So a colour is a
//! stylesheet, `/style/{colour}.css`, made of the colour alone: it says of no tenant that there is one. Whichever colour it is, what
//! is written stays readable (WCAG 2.2, 1.4.3): buttons have the colour itself, under whichever of black and white is the better;
//! links and outlines have the nearest shade of it that stands out from the paper, by day and by night.

use ambit_core::client::TenantFacts;
use ambit_core::page;
use ambit_core::store::StoreError;
use ambit_protocol::admin::text::Color;
use ambit_protocol::admin::user::User;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::cacheable::Cacheable;
use super::named::Named;
use super::shown::{NAME, plain};
use crate::problem::Answer;
use crate::state::App;

/// Whose page it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brand {
    /// What stands where a logo would.
    pub(super) name: String,
    /// Where the stylesheet of its colour is, if it has one.
    pub(super) stylesheet: Option<String>,
}

impl Brand {
    pub(crate) fn of(tenant: &TenantFacts) -> Self {
        let branding = &tenant.tenant.branding;
        let text = branding.logo_text.as_ref().unwrap_or(&tenant.tenant.name);
        Self { name: plain(text.as_str(), NAME), stylesheet: branding.accent_color.as_ref().map(address) }
    }

    /// That of somebody's tenant; none for people of the platform itself.
    pub(crate) async fn of_user(app: &App, user: &User) -> Result<Option<Self>, StoreError> {
        let Some(id) = user.tenant_id else { return Ok(None) };
        Ok(app.registry.tenant_by_id(id).await?.map(|tenant| Self::of(&tenant)))
    }
}

/// The stylesheet of a colour.
pub async fn stylesheet(State(app): State<App>, Named(file): Named, parts: Parts) -> Response {
    let rgb = file.strip_suffix(".css").and_then(Rgb::parse);
    // One colour has one address.
    let Some(rgb) = rgb.filter(|rgb| rgb.file() == file) else {
        return Answer::of(&parts, &app).problem(&page::NOT_FOUND, "there is no such stylesheet").into_response();
    };
    Cacheable { body: rgb.styles(), media_type: "text/css; charset=utf-8", language: None, vary: "" }
        .answer(&parts.headers)
}

fn address(color: &Color) -> String {
    format!("/style/{}.css", color.as_str().trim_start_matches('#').to_ascii_lowercase())
}

/// A colour: red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb([u8; 3]);

impl Rgb {
    /// Six hexadecimal digits.
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    fn file(self) -> String {
        format!("{}.css", self.to_string().trim_start_matches('#'))
    }

    /// What a page of this colour has beside its own styles.
    fn styles(self) -> String {
        let on_fill = if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK };
        let (by_day, by_night) = (self.readable_on(PAPER, BLACK), self.readable_on(NIGHT_PAPER, WHITE));
        format!(
            ":root {{ --mark: {by_day}; --fill: {self}; --on-fill: {on_fill} }}\n\
             @media (prefers-color-scheme: dark) {{ :root {{ --mark: {by_night} }} }}\n"
        )
    }

    /// The nearest shade on the way to another colour that can be read on a paper.
    fn readable_on(self, paper: Self, towards: Self) -> Self {
        let mut shades = (0..STEPS).map(|step| self.mixed(towards, step));
        shades.find(|shade| shade.contrast(paper) >= READABLE).unwrap_or(towards)
    }

    /// So many steps of the way to another colour.
    fn mixed(self, other: Self, step: u16) -> Self {
        let mut parts = self.0;
        for (part, other) in parts.iter_mut().zip(other.0) {
            let mixed = (u16::from(*part) * (STEPS - step) + u16::from(other) * step) / STEPS;
            // Between two octets is an octet.
            *part = u8::try_from(mixed).unwrap_or(other);
        }
        Self(parts)
    }

    /// WCAG 2.2, "contrast ratio": 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

const WHITE: Rgb = Rgb([0xff; 3]);
const BLACK: Rgb = Rgb([0; 3]);
/// What the pages are written on, by day and by night: `--paper` of templates/base.html.
const PAPER: Rgb = WHITE;
const NIGHT_PAPER: Rgb = Rgb([0x14, 0x18, 0x1f]);
/// WCAG 2.2, 1.4.3: "a contrast ratio of at least 4.5:1".
const READABLE: f64 = 4.5;
/// On the way from a colour to black or white.
const STEPS: u16 = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rgb(text: &str) -> Rgb {
        Rgb::parse(text).unwrap()
    }

    /// The colour of a member of the first block, or of the last one.
    fn member(styles: &str, name: &str, is_last: bool) -> Rgb {
        let name = format!("{name}: #");
        let at = if is_last { styles.rfind(&name) } else { styles.find(&name) }.unwrap() + name.len();
        rgb(&styles[at..at + 6])
    }

    proptest! {
        #[test]
        fn whichever_colour_it_is_what_is_written_can_be_read(parts in any::<[u8; 3]>()) {
            let styles = Rgb(parts).styles();
            let fill = member(&styles, "--fill", false);
            prop_assert_eq!(fill, Rgb(parts));
            prop_assert!(member(&styles, "--on-fill", false).contrast(fill) >= READABLE, "{}", styles);
            prop_assert!(member(&styles, "--mark", false).contrast(PAPER) >= READABLE, "{}", styles);
            prop_assert!(member(&styles, "--mark", true).contrast(NIGHT_PAPER) >= READABLE, "{}", styles);
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let close = |one: &str, other: &str, ratio: f64| {
            let contrast = rgb(one).contrast(rgb(other));
            assert!((contrast - ratio).abs() < 0.005, "{one} {other}: {contrast}");
        };
        close("000000", "ffffff", 21.0);
        close("ffffff", "ffffff", 1.0);
        // The greys on either side of 4.5:1 on white, as checkers of contrast have them.
        close("767676", "ffffff", 4.54);
        close("777777", "ffffff", 4.48);
        close("ff0000", "ffffff", 4.00);
    }

    #[test]
    fn a_colour_that_can_be_read_as_it_is_stays_as_it_is() {
        assert_eq!(rgb("767676").readable_on(PAPER, BLACK), rgb("767676"));
        assert_ne!(rgb("777777").readable_on(PAPER, BLACK), rgb("777777"));
        assert_eq!(
            rgb("1a5fb4").styles(),
            ":root { --mark: #1a5fb4; --fill: #1a5fb4; --on-fill: #ffffff }\n\
             @media (prefers-color-scheme: dark) { :root { --mark: #5387c6 } }\n"
        );
    }

    #[test]
    fn the_paper_is_that_of_the_pages() {
        let base = include_str!("../../templates/base.html");
        let papers: Vec<Rgb> = base
            .match_indices("--paper: #")
            .map(|(at, name)| at + name.len())
            .map(|at| rgb(&base[at..at + 6]))
            .collect();
        assert_eq!(papers, [PAPER, NIGHT_PAPER]);
    }

    #[test]
    fn what_is_no_colour_has_no_stylesheet() {
        for text in ["", "fff", "1a5fb", "1a5fb44", "+a5fb4", "1a5fbg", "é5fb4"] {
            assert_eq!(Rgb::parse(text), None, "{text}");
        }
    }
}
