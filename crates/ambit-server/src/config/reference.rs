//! The configuration in print: a sample file, the reference page, and the values in force.

use std::fmt::Write as _;

use super::sources::{Effective, Origin};
use super::table::{Key, SECTIONS};

/// A file with every key, its default and what it is for. All keys are comments: the file as it is changes nothing.
#[must_use]
pub fn sample() -> String {
    let mut sample = String::from(
        "# Ambit's configuration: every key with its default. Take the # away from a line to change it.\n\
         # Flags count over the environment (the AMBIT_ names), the environment over this file.\n\
         # A key that is not known here stops the server from starting.\n",
    );
    for section in SECTIONS {
        sample.push('\n');
        comment(&mut sample, section.about);
        if !section.name.is_empty() {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(sample, "[{}]", section.name);
        }
        for key in section.keys {
            sample.push('\n');
            comment(&mut sample, key.about);
            comment(&mut sample, &format!("Must be {}. In the environment: {}", rule(key), key.variable()));
            let name = key.name.rsplit('.').next().unwrap_or(key.name);
            let _ = writeln!(sample, "#{name} = {}", example(key));
        }
    }
    sample
}

/// The reference page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "<!-- Made from the table of keys in crates/ambit-server/src/config/table.rs by `cargo xtask golden --accept`. -->\n\
         # Configuration\n\n\
         Flags count over the environment, the environment over `ambit.toml`. Every key below can be set in each of them:\n\
         `limits.body_bytes` is `body_bytes` under `[limits]` in the file and `AMBIT_LIMITS_BODY_BYTES` in the environment\n\
         (there a list is written with commas). On the command line: `--listen`, `--public-url`, `--data-dir`,\n\
         `--database-url`, `--demo`, and `--set KEY=VALUE` for every other key. A key or an `AMBIT_` variable that is not\n\
         listed here stops the server from starting, and the message names the nearest one. `AMBIT_CONFIG` names the file.\n\
         `AMBIT_URL`, `AMBIT_CLIENT_ID`, `AMBIT_CLIENT_SECRET` and `AMBIT_TOKEN` are for commands, as\n\
         [the command line](cli.md) has it, and `AMBIT_TEST_…` for tests: the server does not look at them.\n\
         `ambit serve --print-config` shows the values in force and who said so; [ambit.toml](ambit.toml) is a file to\n\
         start from.\n",
    );
    for section in SECTIONS {
        let title = if section.name.is_empty() { "Top of the file" } else { section.name };
        let title = if section.name.is_empty() { title.to_owned() } else { format!("`[{title}]`") };
        let _ = writeln!(page, "\n## {title}\n\n{}\n", joined(section.about));
        page.push_str("| key | default | must be | what for |\n|---|---|---|---|\n");
        for key in section.keys {
            let default = match key.default {
                Some("") => "none".to_owned(),
                Some(default) => format!("`{default}`"),
                None => "unset".to_owned(),
            };
            let _ = writeln!(page, "| `{}` | {default} | {} | {} |", key.name, rule(key), joined(key.about));
        }
    }
    page
}

/// The values in force, as a file, each with who said so.
#[must_use]
pub fn print(effective: &[Effective]) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        if !section.name.is_empty() {
            let _ = writeln!(text, "\n[{}]", section.name);
        }
        for key in section.keys {
            let Some(value) = effective.iter().find(|value| value.key.name == key.name) else { continue };
            let name = key.name.rsplit('.').next().unwrap_or(key.name);
            let from = match &value.origin {
                Origin::Default => String::new(),
                origin => format!("  # {origin}"),
            };
            let _ = match &value.shown {
                Some(_) if key.secret => writeln!(text, "#{name} is set and not shown{from}"),
                Some(shown) => writeln!(text, "{name} = {shown}{from}"),
                None => writeln!(text, "#{name} is not set"),
            };
        }
    }
    text
}

fn rule(key: &Key) -> String {
    let form = key.form;
    match key.bounds {
        Some((least, most)) => format!("{form}, from {least} to {most}"),
        None => form.to_owned(),
    }
}

/// The default as the file would have it, or a value that could stand there.
fn example(key: &Key) -> String {
    let Some(default) = key.default else {
        let example = example_of_unset(key.name);
        return if example.parse::<i64>().is_ok() { example.to_owned() } else { format!("{example:?}") };
    };
    if matches!(key.name, "trusted_proxies" | "outbound.networks") {
        return "[]".to_owned();
    }
    let bare = default.parse::<i64>().is_ok() || default == "true" || default == "false";
    if bare { default.to_owned() } else { format!("{default:?}") }
}

fn example_of_unset(name: &str) -> &'static str {
    match name {
        "public_url" => "https://login.example.com",
        "database_url" => "postgres://ambit:PASSWORD@localhost/ambit",
        "master_key_file" => "/etc/ambit/master.key",
        "tls.cert" => "/etc/ambit/cert.pem",
        "tls.key" => "/etc/ambit/key.pem",
        "mail.transport" => "smtp",
        "mail.host" => "smtp.example.com",
        "mail.port" => "465",
        "mail.username" => "ambit",
        "mail.password" => "PASSWORD",
        "mail.password_file" => "/etc/ambit/mail-password",
        "mail.from" => "Example <no-reply@example.com>",
        "mail.folder" => "/var/lib/ambit/mail",
        "metrics.listen" => "127.0.0.1:9090",
        "otel.endpoint" => "http://127.0.0.1:4318/v1/traces",
        "bootstrap.client_id" => "automation",
        "bootstrap.client_secret" => "at least 32 characters of your choice",
        _ => "",
    }
}

fn comment(text: &mut String, about: &str) {
    let mut line = String::from("#");
    for word in about.split_whitespace() {
        if line.len() + 1 + word.len() > SAMPLE_WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

fn joined(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

const SAMPLE_WIDTH: usize = 100;
