use std::ffi::OsString;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn file(text: &str) -> Sources {
    Sources { file: Some(File { name: "ambit.toml".to_owned(), text: text.to_owned() }), ..Sources::default() }
}

fn variables(variables: &[(&str, &str)]) -> Sources {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

fn faults(sources: &Sources) -> Vec<String> {
    match Config::load(sources) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.faults().map(ToString::to_string).collect(),
    }
}

#[test]
fn nobody_said_anything_and_every_default_is_good() {
    let config = Config::load(&Sources::default()).expect("the defaults");
    assert_eq!(config.place.listen.to_string(), "127.0.0.1:5000");
    assert_eq!(config.limits.body_bytes.get(), 65_536);
    assert_eq!(config.journal.retention, Duration::from_hours(720));
    assert_eq!(config.public_url(config.place.listen).as_str(), "http://127.0.0.1:5000");
    assert!(config.metrics_on_main_address());
}

#[test]
fn flags_count_over_the_environment_and_that_over_the_file() {
    let mut sources = file("listen = '127.0.0.1:1'\n[limits]\nconcurrency = 3\nheaders = 33\n");
    sources.environment.insert("AMBIT_LISTEN".into(), "127.0.0.1:2".into());
    sources.environment.insert("AMBIT_LIMITS_CONCURRENCY".into(), "4".into());
    sources.flags.push(("listen".into(), "127.0.0.1:3".into()));
    sources.flags.push(("limits.body_bytes".into(), "3 KiB".into()));
    let (config, effective) = Config::load_with_origins(&sources).expect("valid");
    assert_eq!((config.place.listen.port(), config.limits.concurrency, config.limits.headers), (3, 4, 33));
    let origin = |name: &str| effective.iter().find(|value| value.key.name == name).expect("a key").origin.to_string();
    // As it was given: most keys have no flag of their own.
    assert_eq!(origin("listen"), "--listen");
    assert_eq!(origin("limits.body_bytes"), "--set limits.body_bytes");
    assert_eq!(origin("limits.concurrency"), "AMBIT_LIMITS_CONCURRENCY");
    assert_eq!(origin("limits.headers"), "ambit.toml:4");
    assert_eq!(origin("limits.connections"), "default");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_key() {
    assert_eq!(
        faults(&file("# x\n[limits]\nbody_byte = 5\n")),
        [r#"ambit.toml:3: unknown key "limits.body_byte"; the nearest is "limits.body_bytes""#]
    );
    // The right name in the wrong place.
    assert_eq!(
        faults(&file("body_bytes = '1 KiB'")),
        [r#"ambit.toml:1: unknown key "body_bytes"; the nearest is "limits.body_bytes""#]
    );
    assert_eq!(
        faults(&file("\n[limit]\nbody_bytes = '1 KiB'")),
        [r#"ambit.toml:2: unknown key "limit"; the nearest is "listen""#]
    );
    assert_eq!(
        faults(&variables(&[("AMBIT_LISTN", "127.0.0.1:1")])),
        ["AMBIT_LISTN is not a variable of this server; the nearest is AMBIT_LISTEN"]
    );
    let flags = Sources { flags: vec![("limits.body_byte".into(), "3KiB".into())], ..Sources::default() };
    let unknown = r#"--set limits.body_byte: unknown key "limits.body_byte"; the nearest is "limits.body_bytes""#;
    assert_eq!(faults(&flags), [unknown]);
}

#[test]
fn variables_of_others_are_none_of_our_business() {
    let sources =
        variables(&[("AMBIT_TEST_POSTGRES_URL", "x"), ("AMBIT_CONFIG", "x"), ("PATH", "x"), ("AMBITIOUS", "x")]);
    assert!(faults(&sources).is_empty());
    // The page says which are left alone, so all others stop the server, as it says.
    for name in sources::ELSEWHERE.into_iter().chain(["AMBIT_TEST_"]) {
        assert!(reference().contains(&format!("`{name}")), "{name}");
    }
    assert_eq!(faults(&variables(&[("AMBIT_TENANT", "acme")])).len(), 1);
}

#[test]
fn a_wrong_type_or_unit_names_key_line_and_rule() {
    assert_eq!(
        faults(&file("[limits]\nrequest_timeout = 30")),
        [concat!(
            "ambit.toml:2: limits.request_timeout is 30, and must be a duration with its unit ",
            r#"(ms, s, min, h, days), such as "30 s""#
        )]
    );
    assert_eq!(
        faults(&file("limits.concurrency = '5'\ndemo = 1")),
        [
            "ambit.toml:2: demo is 1, and must be true or false",
            r#"ambit.toml:1: limits.concurrency is "5", and must be a whole number"#,
        ]
    );
    assert_eq!(faults(&file("limits = 5")), ["ambit.toml:1: 'limits' is a section: write [limits] and its keys below"]);
    assert_eq!(faults(&variables(&[("AMBIT_LIMITS_BODY_BYTES", "64 KB")])).len(), 1);
}

#[test]
fn bounds_are_inclusive_and_named() {
    for (text, good) in [("1023 B", false), ("1 KiB", true), ("16 MiB", true), ("16777217 B", false)] {
        let faults = faults(&file(&format!("[limits]\nbody_bytes = '{text}'")));
        assert_eq!(faults.is_empty(), good, "{text}: {faults:?}");
        assert!(good || faults[0].ends_with("and must be between 1 KiB and 16 MiB"), "{faults:?}");
    }
}

#[test]
fn what_is_not_toml_is_refused_with_its_line_and_without_the_line_itself() {
    let faults = faults(&file("demo = false\n[bootstrap]\nclient_secret = \"CANARY-CANARY-CANARY\n"));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("ambit.toml:3: not TOML: "), "{faults:?}");
    assert!(!faults[0].contains("CANARY"), "{faults:?}");
    let faults = self::faults(&file("demo = true\ndemo = true"));
    assert!(faults[0].starts_with("ambit.toml:2: not TOML: "));
}

#[test]
fn an_empty_file_is_a_mistake_and_a_file_of_comments_is_not() {
    assert_eq!(faults(&file(" \n")).len(), 1);
    assert!(faults(&file("# nothing yet\n")).is_empty());
    assert!(faults(&file("[limits]\n")).is_empty());
}

#[test]
fn an_empty_or_unreadable_variable_is_refused() {
    assert_eq!(
        faults(&variables(&[("AMBIT_TLS_CERT", "")])),
        ["AMBIT_TLS_CERT is set and empty: give it a value or unset it"]
    );
    let raw = {
        use std::os::unix::ffi::OsStringExt as _;
        vec![
            (OsString::from("AMBIT_LISTEN"), OsString::from_vec(vec![0xff])),
            ("PATH".into(), OsString::from_vec(vec![0xff])),
        ]
    };
    let errors = Sources::default().with_environment(raw).expect_err("not UTF-8");
    assert_eq!(errors.to_string(), "AMBIT_LISTEN is not UTF-8");
    assert!(faults(&variables(&[("AMBIT_\u{1b}[2J", "x")]))[0].starts_with("AMBIT_\u{fffd}[2J is not"));
}

#[test]
fn contradictions_are_refused() {
    let cases = [
        ("listen = '0.0.0.0:5000'", "public_url must be set"),
        ("listen = '0.0.0.0:5000'\npublic_url = 'http://localhost:5000'\ndemo = true", "demo is on and listen"),
        ("public_url = 'https://a.example'\ndemo = true", "demo is on and public_url"),
        ("demo = true\nmetrics.listen = '0.0.0.0:9090'", "demo is on and metrics.listen"),
        ("tls.cert = 'c.pem'", "tls.cert and tls.key"),
        ("tls.key = 'k.pem'", "tls.cert and tls.key"),
        ("tls.cert = 'c.pem'\ntls.key = 'k.pem'\npublic_url = 'http://localhost'", "public_url begins with http://"),
        ("metrics.listen = '127.0.0.1:5000'", "metrics.listen is the same"),
        ("mail.transport = 'smtp'\nmail.from = 'a@b.example'", "mail.transport is smtp"),
        ("mail.host = 'smtp.example.com'", "mail.from must be set"),
        ("mail.host = 'smtp.example.com'\nmail.from = 'a@b.example'\nmail.tls = 'off'", "mail.tls is off"),
        ("mail.username = 'ambit'", "mail.username and"),
        ("mail.password = 'x'", "mail.username and"),
        ("mail.username = 'ambit'\nmail.password = 'x'\nmail.password_file = 'y'", "mail.password and"),
        ("limits.body_timeout = '31 s'", "limits.body_timeout"),
        ("rate_limits.client_total_failures = 19", "rate_limits.client_failures"),
        ("keys.rotate = '1 day'", "keys.publish_ahead"),
        ("keys.rotate = '13 h'\nkeys.publish_ahead = '1 h'", "keys.overlap"),
        ("bootstrap.client_id = 'x'", "bootstrap.client_id"),
        ("bootstrap.client_secret = '0123456789abcdef0123456789abcdef'", "bootstrap.client_id"),
    ];
    for (text, start) in cases {
        let faults = faults(&file(text));
        assert!(faults.len() == 1 && faults[0].starts_with(start), "{text}: {faults:?}");
    }
    assert!(faults(&file("listen = '[::1]:5000'\ndemo = true")).is_empty());
    assert!(faults(&file("keys.rotate = '14 h'\nkeys.publish_ahead = '1 h'")).is_empty());
    assert!(faults(&file("rate_limits.client_total_failures = 20\nlimits.body_timeout = '30 s'")).is_empty());
}

#[test]
fn letters_go_where_the_configuration_says_and_nowhere_by_themselves() {
    let transport = |text: &str| Config::load(&file(text)).expect("valid").mail_transport();
    let host = "mail.host = 'localhost'\nmail.from = 'a@b.example'\n";
    for (text, by) in [
        ("log.level = 'info'", MailTransport::Off),
        ("demo = true", MailTransport::File),
        (host, MailTransport::Smtp),
        (&format!("demo = true\n{host}"), MailTransport::Smtp),
        (&format!("{host}mail.transport = 'off'"), MailTransport::Off),
        ("demo = true\nmail.transport = 'off'", MailTransport::Off),
    ] {
        assert_eq!(transport(text), by, "{text}");
    }
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_program_without_otel_refuses_its_endpoint() {
    assert_eq!(faults(&file("otel.endpoint = 'http://127.0.0.1:4318/v1/traces'")).len(), 1);
}

#[test]
fn every_fault_is_told_at_once() {
    let mut sources = file("demo = 3\nnope = 1\n[log]\nlevel = 'loud'");
    sources.environment.insert("AMBIT_NOPE".into(), "x".into());
    assert_eq!(faults(&sources).len(), 4);
}

#[test]
fn metrics_are_on_the_main_address_only_where_this_machine_alone_reaches_it() {
    let on_main = |text: &str| Config::load(&file(text)).expect("valid").metrics_on_main_address();
    assert!(on_main("public_url = 'http://localhost:5000'"));
    assert!(!on_main("public_url = 'https://a.example'"));
    assert!(!on_main("trusted_proxies = ['127.0.0.1']"));
    assert!(!on_main("metrics.listen = '127.0.0.1:9090'"));
    assert!(!on_main("listen = '0.0.0.0:5000'\npublic_url = 'http://localhost:5000'"));
}

#[test]
fn no_secret_is_printed_by_any_way() {
    let mut sources = file("database_url = 'postgres://a:CANARY@h/d'");
    sources.environment.insert("AMBIT_BOOTSTRAP_CLIENT_ID".into(), "x".into());
    sources.environment.insert("AMBIT_BOOTSTRAP_CLIENT_SECRET".into(), "CANARY-CANARY-CANARY-CANARY-CANARY".into());
    let (config, effective) = Config::load_with_origins(&sources).expect("valid");
    let printed = print(&effective);
    assert!(printed.contains("#client_secret is set and not shown  # AMBIT_BOOTSTRAP_CLIENT_SECRET"), "{printed}");
    sources.environment.insert("AMBIT_BOOTSTRAP_CLIENT_SECRET".into(), "CANARY".into());
    sources.environment.insert("AMBIT_DATABASE_URL".into(), "mysql://CANARY".into());
    sources.flags.push(("bootstrap.client_secret".into(), "CANARY-CANARY-CANARY-CANARY-CANARY".into()));
    let errors = Config::load(&sources).expect_err("short");
    for shown in [format!("{config:?}"), format!("{sources:?}"), format!("{effective:?}"), printed, errors.to_string()]
    {
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn the_sample_changes_nothing_and_with_its_keys_uncommented_is_good() {
    let sample = sample();
    let (_, untouched) = Config::load_with_origins(&file(&sample)).expect("all comments");
    assert!(untouched.iter().all(|value| value.origin == Origin::Default));
    // A key's line has its # directly before the name; a comment has a space there.
    let uncommented: String = sample
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .filter(|line| cfg!(feature = "otel") || !line.starts_with("endpoint"))
        // It and `mail.password` are the same thing.
        .filter(|line| !line.starts_with("password_file"))
        .collect();
    let (_, effective) = Config::load_with_origins(&file(&uncommented)).expect("every example is good");
    let left_out = ["otel.endpoint", "mail.password_file"];
    assert!(effective.iter().all(|value| value.origin != Origin::Default || left_out.contains(&value.key.name)));
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let (config, effective) =
        Config::load_with_origins(&file("trusted_proxies = ['10.0.0.0/8', '::1/128']")).expect("valid");
    let again = Config::load(&file(&print(&effective))).expect("reads back");
    assert_eq!(format!("{config:?}"), format!("{again:?}"));
}

proptest! {
    #[test]
    fn no_file_and_no_variable_makes_it_panic(text in "\\PC*|([a-z_.]{1,12} ?= ?[0-9a-z'\"\\[\\]{}.]*\n?)*", value in "\\PC*") {
        let mut sources = file(&text);
        sources.environment.insert("AMBIT_LIMITS_BODY_BYTES".into(), value.clone());
        sources.environment.insert("AMBIT_TRUSTED_PROXIES".into(), value.clone());
        sources.environment.insert("AMBIT_PUBLIC_URL".into(), value.clone());
        sources.environment.insert("AMBIT_KEYS_ROTATE".into(), value);
        if let Err(errors) = Config::load(&sources) {
            prop_assert!(errors.faults().all(|fault| !fault.to_string().is_empty()));
        }
    }
}
