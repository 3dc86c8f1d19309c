# Outlives the program that starts processes for a test, however that program ends, and cleans up after it.
# Called with the folder to remove; reads "PID START" lines (START: field 22 of /proc/PID/stat, so that a number
# used again by a stranger is never signalled) and acts at the end of its input, which comes when the program closes
# the pipe or dies. E2E_LOGS names a folder (absolute) that keeps the logs. A line "leave" makes it go without touching anything.
trap '' HUP INT TERM
folder=$1
processes=
while read -r pid start; do
    [ "$pid" = leave ] && exit 0
    processes="$processes $pid:$start"
done

# A zombie is over: its parent has only not asked yet.
lives() {
    pid=${1%:*}
    start=${1#*:}
    { stat=$(cat "/proc/$pid/stat"); } 2>/dev/null || return 1
    # The name in the second field may hold blanks and brackets; after it the third field (state) is $1, the 22nd ${20}.
    set -- ${stat##*) }
    [ "$1" != Z ] && [ "${20}" = "$start" ]
}

signal() {
    for process in $processes; do
        lives "$process" && kill "-$1" "${process%:*}"
    done
}

wait_for_end() {
    tenths=$1
    while [ "$tenths" -gt 0 ]; do
        living=
        for process in $processes; do
            lives "$process" && living=1
        done
        [ -z "$living" ] && return
        sleep 0.1
        tenths=$((tenths - 1))
    done
}

signal TERM
wait_for_end 10
signal KILL
wait_for_end 30
if [ -n "${E2E_LOGS:-}" ]; then
    logs=$E2E_LOGS/${folder##*/}
    mkdir -p "$logs" && mv "$folder"/*.log "$logs"
fi
rm -rf -- "$folder"
