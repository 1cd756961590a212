/** The connections of the Gearman protocol. */

import { get } from "./api.js";
import { number, text } from "./cells.js";
import { make, setText } from "./dom.js";
import { count, NONE, size } from "./format.js";
import { List, Poll } from "./list.js";

const PAGE = 50;
const KINDS = { client: "client", worker: "worker", both: "client and worker", other: "idle" };

export class Connections {
  title = "Connections";

  constructor() {
    this.total = make("span", { className: "total" });
    this.list = new List({
      label: "Connections",
      className: "connections",
      key: (connection) => connection.address,
      empty: () => "Nobody is connected.",
      columns: [
        { label: "Address", kind: "name", cell: text((row) => row.address) },
        { label: "Kind", kind: "status", cell: text((row) => (row.closing ? "closing" : KINDS[row.kind])) },
        { label: "Waits for", kind: "number", cell: number((row) => row.submitted) },
        { label: "Works on", kind: "number", cell: number((row) => row.assigned) },
        { label: "Functions", kind: "number", cell: number((row) => row.functions) },
        { label: "Unsent", kind: "number", cell: number((row) => row.unsent, size) },
        { label: "ID", kind: "minor", cell: text((row) => (row.client_id === "-" ? NONE : row.client_id)) },
        { label: "Certificate", kind: "minor", cell: text((row) => row.subject ?? NONE) },
      ],
    });
    this.element = make(
      "section",
      {},
      make("div", { className: "heading" }, make("h2", { tabIndex: -1 }, this.title), this.total),
      this.list.element,
    );
    this.poll = new Poll({
      load: () => get("connections", { page: this.page, size: PAGE }),
      show: (page) => {
        this.list.show(page.connections, page);
        setText(this.total, count(page.total));
      },
      fail: (reason) => this.list.fail(reason),
    });
  }

  open(route) {
    this.page = route.page;
    this.list.load();
    this.poll.reset();
  }

  tick() {
    this.poll.run();
  }
}
