"use strict";
(() => {
  const AXES = ["task", "circuit", "rule", "option"];
  const boxes = [...document.querySelectorAll(".filters input")];
  const placed = [...document.querySelectorAll("[data-task], [data-circuit], [data-rule], [data-option]")]
    .filter((element) => !element.closest(".filters"));
  const drawn = [];

  // Places that are ticked along each axis; an axis without boxes lets everything pass.
  const ticked = () => {
    const chosen = {};
    for (const box of boxes) {
      chosen[box.dataset.axis] ??= new Set();
      if (box.checked) chosen[box.dataset.axis].add(box.value);
    }
    return chosen;
  };
  const passes = (places, chosen) =>
    AXES.every((axis) => places[axis] === undefined || !chosen[axis] || chosen[axis].has(String(places[axis])));

  const filterFigure = (root, chosen) => {
    for (const {data_source, view} of root.renderers) {
      const {circuit_at, rule_at, option_at} = data_source.data;
      if (rule_at === undefined) continue;
      view.filter.booleans = Array.from(rule_at, (rule, row) =>
        passes({circuit: circuit_at[row], rule, option: option_at[row]}, chosen));
    }
    const [rows] = root.y_range.tags;
    if (rows !== undefined) {
      root.y_range.factors = rows.factors.filter(([, places]) => passes(places, chosen)).map(([name]) => name);
      root.height = root.tags[0].above + root.tags[0].row * Math.max(1, root.y_range.factors.length);
    }
  };

  const filter = () => {
    const chosen = ticked();
    for (const element of placed) element.hidden = !passes(element.dataset, chosen);
    for (const root of drawn) filterFigure(root, chosen);
    const rows = [...document.querySelectorAll("#outcomes tbody tr")];
    document.querySelector(".empty").hidden = rows.length === 0 || rows.some((row) => !row.hidden);
  };

  for (const box of boxes) box.addEventListener("change", filter);
  for (const button of document.querySelectorAll(".filters button")) {
    button.addEventListener("click", () => {
      for (const box of boxes) {
        if (box.dataset.axis === button.dataset.axis) box.checked = button.dataset.to === "1";
      }
      filter();
    });
  }

  const value = (cell) => {
    if (cell.dataset.sort === undefined) return cell.textContent.trim();
    return cell.dataset.sort === "" ? NaN : Number(cell.dataset.sort);
  };
  // What is missing stands last, whichever way the rest is sorted.
  const compare = (one, other, sign) => {
    if (typeof one === "string") return sign * one.localeCompare(other);
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
    return one === other ? 0 : sign * (one < other ? -1 : 1);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      table.classList.add("sorted");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => compare(value(one.cells[index]), value(other.cells[index]), falling ? -1 : 1));
      table.tBodies[0].append(...rows);
    }));
  }

  // One figure after the other, so that the page can be read and used meanwhile.
  const draw = async () => {
    for (const script of document.querySelectorAll("script.figure")) {
      const place = document.getElementById(script.dataset.target);
      try {
        const item = JSON.parse(script.textContent);
        const views = await Bokeh.embed.embed_item(item, script.dataset.target);
        const root = views.get_by_id(item.root_id).model;
        place.style.minHeight = "";
        filterFigure(root, ticked());
        drawn.push(root);
      } catch (error) {
        place.textContent = `This figure could not be drawn: ${error}`;
        console.error(error);
      }
      await new Promise((next) => setTimeout(next));
    }
    document.body.dataset.figures = String(drawn.length);
  };
  filter();
  draw();
})();
