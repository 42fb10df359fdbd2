// The site's search is a worker, and browsers start none for a page that is read from disk: there it runs in a hidden frame.
"use strict"

class FrameWorker extends EventTarget {
  constructor(url) {
    super()
    this.frame = document.createElement("iframe")
    this.frame.hidden = true
    document.body.append(this.frame)
    const inside = this.frame.contentWindow
    this.tell = (event) => {
      if (event.source !== inside) return
      const told = new MessageEvent("message", { data: event.data })
      this.dispatchEvent(told)
      if (this.onmessage) this.onmessage(told)
    }
    addEventListener("message", this.tell)
    inside.document.open()
    inside.document.write(`<body><script>
      postMessage = (message) => parent.postMessage(message, "*")
      importScripts = (...urls) => urls.reduce((before, src) => before.then(() => new Promise((loaded) =>
        document.body.append(Object.assign(document.createElement("script"), { src, onload: loaded })))), Promise.resolve())
      </script><script src="${url}"></script>`)
    inside.document.close()
    this.started = new Promise((started) => { inside.onload = started })
  }

  postMessage(message) {
    const event = new MessageEvent("message", { data: structuredClone(message) })
    this.started.then(() => this.frame.contentWindow.dispatchEvent(event))
  }

  terminate() {
    removeEventListener("message", this.tell)
    this.frame.remove()
  }
}

if (location.protocol === "file:") window.Worker = window.IFrameWorker = FrameWorker
