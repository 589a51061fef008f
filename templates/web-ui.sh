# usage: HOW SOURCE TREE ARCHIVE CMAKE: have the page where llama.cpp embeds it, and see that it is
# embedded, before half an hour of compiling. HOW is build (ARCHIVE holds the page) or hub.
if [ "$1" = build ]; then
    # A job that was cut off here may have moved it already.
    if [ -e "$4" ]; then
        rm -rf "$2/tools/ui/dist" "$2/tools/ui/dist.partial"
        mkdir -p "$2/tools/ui/dist.partial"
        base64 -d "$4" | tar -xz --no-same-owner -C "$2/tools/ui/dist.partial"
        mv -T "$2/tools/ui/dist.partial" "$2/tools/ui/dist"
        rm "$4"
    fi
fi
if ! "$5" --build "$3" --target llama-ui-assets >"$3/web-ui.log" 2>&1; then
    cat "$3/web-ui.log"
    echo "llamarig: web_ui: llama.cpp does not take the page"
    exit 1
fi
cat "$3/web-ui.log"
if ! grep -q '^#define LLAMA_UI_HAS_ASSETS 1' "$3/tools/ui/ui.h"; then
    echo "llamarig: web_ui: the page did not come (web_ui is $1); run it again, or set web_ui to none"
    exit 1
fi
if grep -q 'resolved: latest' "$3/web-ui.log"; then
    echo "llamarig: web_ui: the hub gave the page of another build; run it again, or set web_ui to none"
    exit 1
fi
