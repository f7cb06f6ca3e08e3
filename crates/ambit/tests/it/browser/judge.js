// What axe-core does not judge: one heading, nothing wider than the screen, and room for a finger. Answers what is wrong.
const [width, isForm] = arguments;
const wrong = [];
const named = (it) => it.outerHTML.replace(/\s+/g, " ").slice(0, 120);

const headings = document.querySelectorAll("h1").length;
if (headings !== 1) wrong.push(`${headings} headings of the first level`);

if (document.documentElement.scrollWidth > width) {
  const wide = [...document.querySelectorAll("body *")].filter((it) => it.getBoundingClientRect().right > width);
  wrong.push(`wider than the screen: ${wide.map(named).join("\n")}`);
}

// WCAG 2.5.5: 44 by 44 CSS pixels. What stands in a line of text may be as small as the line.
const least = 44;
const isInLine = (it) => it.matches("a") && getComputedStyle(it).display === "inline" &&
  it.parentElement.textContent.trim() !== it.textContent.trim();
const controls = "a[href], button, summary, select, textarea, input:not([type=hidden]):not([disabled])";
for (const it of isForm ? document.querySelectorAll(controls) : []) {
  if (!it.checkVisibility() || isInLine(it)) continue;
  const area = it.getBoundingClientRect();
  if (it.matches("[type=checkbox], [type=radio]")) {
    // Whoever hits its label hits the box.
    it.scrollIntoView({ block: "center" });
    const { left, right, top, bottom } = it.getBoundingClientRect();
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const parts = [it, ...it.labels];
    for (const offset of [1 - least / 2, least / 2 - 1]) {
      if (!parts.includes(document.elementFromPoint(x, y + offset))) wrong.push(`missed by a finger: ${named(it)}`);
    }
  } else if (area.height < least - 0.1 || area.width < least - 0.1) {
    wrong.push(`${area.width.toFixed()} by ${area.height.toFixed()} pixels: ${named(it)}`);
  }
}
scrollTo(0, 0);
return wrong;
