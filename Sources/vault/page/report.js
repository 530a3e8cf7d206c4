"use strict";
// The filters. The page is whole without this: it only hides rows and bars, and sums up again what is left.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const sums = ["calls", "deliveries", "failures"];
  const grouped = new Intl.NumberFormat("en-US");

  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const choice = (title, all, names) => {
    const select = make("select", {}, make("option", { value: "", textContent: all }));
    names.forEach((name, number) => select.append(make("option", { value: String(number), textContent: name })));
    return { select, label: make("label", {}, title, select) };
  };
  const profile = choice("Profile", "all profiles", data.profiles);
  const role = choice("Role", "all roles", data.roles);
  const user = choice("User", "all users", data.users);
  const reset = make("button", { type: "reset", textContent: "Show all" });
  const said = make("p", { id: "said" });
  said.setAttribute("role", "status");
  const form = make("form", {}, profile.label, role.label, user.label, reset, said);
  form.setAttribute("aria-label", "What is shown");
  document.getElementById("filters").replaceWith(form);

  const chosen = (choice) => (choice.select.value === "" ? null : Number(choice.select.value));
  const show = (element, isShown) => element.toggleAttribute("hidden", !isShown);

  const drawBars = (name, values) => {
    const most = Math.max(0, ...values);
    document.querySelectorAll(`[data-bars="${name}"] rect`).forEach((bar, bucket) => {
      const height = values[bucket] === 0 ? 0 : Math.max(2, Math.floor((values[bucket] * 100) / most));
      bar.setAttribute("y", 100 - height);
      bar.setAttribute("height", height);
      bar.querySelector("title").textContent = `${data.buckets[bucket]}: ${values[bucket]}`;
    });
    document.querySelector(`[data-peak="${name}"]`).textContent = grouped.format(most);
    document.querySelector(`[data-sum="${name}"]`).textContent = grouped.format(values.reduce((a, b) => a + b, 0));
  };

  const apply = () => {
    const [p, r, u] = [chosen(profile), chosen(role), chosen(user)];
    const fits = (a, b, c) => (p === null || p === a) && (r === null || r === b) && (u === null || u === c);
    const totals = Object.fromEntries(sums.map((name) => [name, new Array(data.buckets.length).fill(0)]));
    for (const [bucket, a, b, c, ...counts] of data.cells) {
      if (fits(a, b, c)) sums.forEach((name, place) => (totals[name][bucket] += counts[place]));
    }
    sums.forEach((name) => drawBars(name, totals[name]));
    document.querySelectorAll("#buckets tr[data-b]").forEach((row) => {
      const bucket = Number(row.dataset.b);
      const counts = [totals.deliveries[bucket], totals.calls[bucket], totals.failures[bucket]];
      row.querySelectorAll("td").forEach((cell, place) => (cell.textContent = counts[place]));
      show(row, counts.some((count) => count > 0));
    });

    document.querySelectorAll("[data-p]").forEach((element) => {
      const { p: a, r: b, u: c } = element.dataset;
      show(element, fits(Number(a), Number(b), Number(c)));
    });
    let sessions = 0;
    document.querySelectorAll(".lanes tbody tr").forEach((row) => {
      const count = row.querySelectorAll("rect:not([hidden])").length;
      sessions += count;
      row.querySelector("[data-count]").textContent = count;
      row.querySelector("svg").setAttribute("aria-label", `timeline of ${count} sessions`);
      show(row, count > 0);
    });
    document.querySelector('[data-sum="sessions"]').textContent = grouped.format(sessions);
    const names = [profile, role, user].filter((one) => one.select.value !== "").map((one) => one.select.selectedOptions[0].textContent);
    said.textContent = names.length ? `Only ${names.join(", ")}: ${grouped.format(sessions)} sessions` : "";
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
})();
